//! Known outputs as rows: a list of objects.
