//! Why somebody was not answered as they wished: the values of the label `reason`.

/// Why a connection was closed, or a request not answered with what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client's address held its share of the connections, or of the scrapes.
    Address,
    /// All places were taken, and this connection was the one least missed.
    Crowded,
    /// A TLS handshake failed, or took too long.
    Handshake,
    /// A request was not complete in time after its first byte.
    Headers,
    /// The headers of a request were too long: 431.
    HeaderSize,
    /// What was sent is no HTTP/1.1 request: 400.
    Malformed,
    /// More passwords waited to be checked than can be: 429.
    PasswordQueue,
    /// The rate limit of the web configuration: 429.
    RateLimit,
    /// As many scrapes were under way as may be: 503.
    Scrapes,
    /// The client had stopped reading its answer.
    Stalled,
    /// There was no password, or a wrong one: 401.
    Unauthorized,
    /// Nothing was published that may be served: 503.
    Unpublished,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Address,
        Self::Crowded,
        Self::Handshake,
        Self::Headers,
        Self::HeaderSize,
        Self::Malformed,
        Self::PasswordQueue,
        Self::RateLimit,
        Self::Scrapes,
        Self::Stalled,
        Self::Unauthorized,
        Self::Unpublished,
    ];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Crowded => "crowded",
            Self::Handshake => "handshake",
            Self::Headers => "headers",
            Self::HeaderSize => "header_size",
            Self::Malformed => "malformed",
            Self::PasswordQueue => "password_queue",
            Self::RateLimit => "rate_limit",
            Self::Scrapes => "scrapes",
            Self::Stalled => "stalled",
            Self::Unauthorized => "unauthorized",
            Self::Unpublished => "unpublished",
        }
    }
}
