//! The bits: in how many two filters differ, and which pairs are alike enough.
//!
//! A [`FilterMatrix`] on the left and a [`PackedMatrix`] on the right go in, the [`Pair`]s that reach the [`Cut`] of a
//! [`Search`] come out. Similarity is decided in integers: the cut turns a threshold p/q into the number of bits in
//! which two filters may differ, for Dice as for ρ, so that every path, thread count and machine agrees on every pair.
//!
//! A [`Kernel`] is chosen once at run time: AVX-512 with VPOPCNTDQ, AVX2, NEON, or plain words, which every processor has
//! and which the others are tested against.
//!
//! ```
//! use corridor_kernel::{Cut, FilterMatrix, Kernel, Measure, Search};
//!
//! let left = FilterMatrix::try_new(&[0b0111], 1)?;
//! let right = FilterMatrix::try_new(&[0b0110, 0b1000], 1)?.to_packed();
//! let search = Search::exact(Cut::new(Measure::Dice, 1, 8, 10), &left, &right); // 0.8
//! let mut pairs = Vec::new();
//! Kernel::best().pairs_reaching((&left, 0..1), (&right, 0..2), &search, &mut pairs);
//! assert_eq!(pairs.len(), 1);
//! assert_eq!((pairs[0].left, pairs[0].right, pairs[0].distance), (0, 0, 1));
//! assert_eq!(search.cut().similarity(1, 3 + 2), Some(0.8)); // 2·2 / (3+2)
//! # Ok::<(), corridor_kernel::FilterMatrixError>(())
//! ```
//!
//! # Units and shapes
//! A filter is 1 to 64 words of 64 bits. Pairs come out by left index, then right index.
//!
//! # Panics
//! When a row range passes the end of its matrix, or two matrices have filters of different length.
//!
//! # References
//! Muła, Kurz & Lemire 2018 (counting bits by shuffles); methods for early exits are in [`Search`].
#![warn(clippy::as_conversions)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cut;
mod kernel;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod path;
mod portable;
mod screen;
mod search;
#[cfg(test)]
mod tests;

pub use cut::{Cut, Measure, Pair};
pub use kernel::Kernel;
pub use matrix::{FilterMatrix, FilterMatrixError, PackedMatrix};
pub use search::{MissBoundError, Search};
