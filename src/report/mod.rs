//! What was judged, and how it is shown.
