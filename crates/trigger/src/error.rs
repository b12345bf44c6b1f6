//! What can be wrong with triggers and campaigns.

use thiserror::Error;

/// Why a trigger or a file of campaigns is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// An expression that means nothing, or not what it seems to.
    #[error("column {column}: {what}")]
    Expression {
        /// Where, in characters from 1.
        column: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A setting of a campaign.
    #[error("campaign {campaign}: {what}")]
    Campaign {
        /// Its name, or its place in the file.
        campaign: String,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Not TOML of the expected shape.
    #[error("campaigns: {0}")]
    Parse(String),
}
