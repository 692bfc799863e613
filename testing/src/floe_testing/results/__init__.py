"""Results that are on disk as soon as there are any: `junit.xml`, whole at every moment."""
