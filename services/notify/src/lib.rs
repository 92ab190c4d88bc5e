//! `notify`: which event goes to which channel, when, in which words, and the way there.
