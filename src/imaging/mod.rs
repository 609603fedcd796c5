//! Floor 1: pictures, bytes to bytes. Pure and synchronous: no tasks, no I/O.
