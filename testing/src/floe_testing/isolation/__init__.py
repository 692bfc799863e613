"""What keeps tests apart: names that nobody else has, and labels that say whose a thing is."""
