//! Why bytes are not a stored policy.

/// Why a stored policy cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes do not begin as a stored policy does.
    #[error("not a stored policy")]
    NotState,
    /// A later version of dwnl wrote it.
    #[error("unknown format version `{0}`")]
    Version(String),
    /// The length is not that of the first line.
    #[error("{found} bytes instead of {expected}")]
    Length {
        /// The length that the first line says.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// The checksum is not that of the first line.
    #[error("wrong checksum")]
    Checksum,
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// A part of the description is missing or invalid.
    #[error("missing or invalid `{0}`")]
    Metadata(&'static str),
    /// The policy is larger than [`STATE_MAX`](super::STATE_MAX).
    #[error("a stored policy of more than {} MiB", super::STATE_MAX >> 20)]
    TooLarge,
}
