//! Training: the order of the data, the loop, the ranks, checkpoints, and the record of a run.
