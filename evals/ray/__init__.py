"""What running rows on a Ray cluster costs on one machine."""
