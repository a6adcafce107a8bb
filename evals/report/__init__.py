"""What a report costs: building it, its size, and opening it in a browser."""
