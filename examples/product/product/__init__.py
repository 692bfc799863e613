"""Data products: a specification is held to the company's policies, and compiled into what the platform runs."""
