//! The bits: how many two filters share, and which pairs are alike enough.
//!
//! Two [`FilterMatrix`]es go in, the [`Pair`]s that reach a [`Cut`] come out. Similarity is decided in integers:
//! the cut turns a threshold p/q into the overlap a pair needs (Dice) or the distance it may have (ρ), so
//! that every path, thread count and machine agrees on every pair.
//!
//! This is the portable path, which is also the oracle for any faster one.
//!
//! ```
//! use corridor_kernel::{Cut, FilterMatrix, Measure, pairs_reaching};
//!
//! let left = FilterMatrix::try_new(&[0b0111], 1)?;
//! let right = FilterMatrix::try_new(&[0b0110, 0b1000], 1)?;
//! let cut = Cut::new(Measure::Dice, 1, 8, 10); // 0.8
//! let mut pairs = Vec::new();
//! pairs_reaching(&left, 0..1, &right, 0..2, &cut, &mut pairs);
//! assert_eq!(pairs.len(), 1);
//! assert_eq!((pairs[0].left, pairs[0].right), (0, 0));
//! assert_eq!(cut.similarity(&pairs[0], &left, &right), Some(0.8)); // 2·2 / (3+2)
//! # Ok::<(), corridor_kernel::FilterMatrixError>(())
//! ```
//!
//! # Units and shapes
//! A filter is whole words of 64 bits. Pairs come out by left index, then right index.
//!
//! # Panics
//! When a row range passes the end of its matrix, or two matrices have filters of different length.
#![warn(clippy::as_conversions)]

mod compare;
mod cut;
mod matrix;

pub use compare::{KERNEL_NAME, counts_of_row, pairs_reaching};
pub use cut::{Cut, Measure, Pair};
pub use matrix::{FilterMatrix, FilterMatrixError};
