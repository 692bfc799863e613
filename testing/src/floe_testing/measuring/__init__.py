"""How long tests take and what they need: measured, compared with a baseline, and followed over runs."""
