"use strict";
(() => {
  const slider = document.getElementById("when");
  let touched = Date.now();
  for (const kind of ["pointerdown", "pointermove", "keydown", "scroll"])
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  let timer = null;
  if (slider) {
    const stops = slider.dataset.stops.split(",").map(Number);
    const told = document.getElementById("seen");
    const play = document.getElementById("play");
    const films = [...document.querySelectorAll(".film")].map((film) => [...film.querySelectorAll("img")]);
    const show = (place) => {
      place = Math.max(0, Math.min(stops.length - 1, place));
      slider.value = place;
      const seen = stops[place];
      for (const frames of films) {
        let chosen = frames[0];
        for (const frame of frames) if (Number(frame.dataset.seen) <= seen) chosen = frame;
        for (const frame of frames) frame.hidden = frame !== chosen;
      }
      told.textContent = seen.toLocaleString("en") + " images seen";
    };
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const start = () => {
      if (Number(slider.value) >= stops.length - 1) show(0);
      play.textContent = "Pause";
      timer = setInterval(() => {
        if (Number(slider.value) >= stops.length - 1) stop();
        else show(Number(slider.value) + 1);
      }, Math.max(80, Math.min(400, 6000 / stops.length)));
    };
    slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
    play.addEventListener("click", () => { if (timer) stop(); else start(); });
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 };
    addEventListener("keydown", (event) => {
      const chord = event.ctrlKey || event.altKey || event.metaKey;
      if (chord || !(event.key in steps) || (event.key.length < 5 && event.target !== slider)) return;
      event.preventDefault();
      stop();
      show(Number(slider.value) + steps[event.key]);
    });
  }
  // while training runs, look again now and then, but never under the reader's hands
  if (document.body.dataset.status === "running")
    setInterval(() => {
      if (!timer && !document.hidden && Date.now() - touched > 30000) location.reload();
    }, 5000);
})();
