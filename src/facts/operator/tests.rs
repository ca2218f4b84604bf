//! What is read of the operator's traces.
