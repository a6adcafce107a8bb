"""How a run is looked at afterwards: as one HTML page, as tables, in a notebook, and beside another run."""
