"""How to wait, and for how long: this room knows time, and nothing that could be waited for."""
