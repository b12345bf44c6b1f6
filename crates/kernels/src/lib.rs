//! Image operators: a plain reference and a fast version of each.
