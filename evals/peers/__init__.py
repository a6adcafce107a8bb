"""The toy task on which optimizers of different libraries are compared: same server, same data, same books."""
