//! `repair --plan` only reads.
