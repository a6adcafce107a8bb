"""Deployed agents, measured: how they follow a drift, what poison does to them, and what serving costs."""
