"""Where rows are run: in this process, or on the workers of a Ray cluster.

Whatever the place, the same rows give the same outcomes in the same order; only models, caps and accounts stay here.
"""
