//! The functions that come with Spiral, one file each. [`crate::catalog`] lists them.

pub mod fibonacci;
