"""From images to figures: protocols, references, probes, memorisation, results."""
