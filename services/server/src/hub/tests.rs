//! The hub as a whole.
