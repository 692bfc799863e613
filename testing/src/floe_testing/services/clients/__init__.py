"""One module per service: plain functions that open, make and remove. Each needs the extra of its name."""
