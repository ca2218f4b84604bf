//! Programs that change a host, and the checks around them.
