//! The simulator on a real control plane: what the product sees of Mizar when it is installed by hand, with the least
//! rights that its operator needs.

mod arktos;
mod cluster;
mod containers;
mod life;
mod objects;
mod programming;
mod recipes;
mod rounds;
