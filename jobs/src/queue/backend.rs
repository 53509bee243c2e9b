//! The apalis backend.
