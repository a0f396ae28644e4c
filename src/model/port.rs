//! The protocols and ports that Docker publishes.

use std::fmt;

/// A transport protocol that Docker can publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `IPPROTO_TCP`, 6.
    Tcp,
    /// `IPPROTO_UDP`, 17.
    Udp,
    /// `IPPROTO_SCTP`, 132.
    Sctp,
}

impl Protocol {
    /// All protocols that Docker publishes.
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

    /// The number in the header (IANA, `netinet/in.h`).
    pub fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    /// The protocol of this number, if Docker publishes it.
    pub fn from_number(number: u8) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.number() == number)
    }

    /// The lower-case name, which is also that of the xt match.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One port or a range of ports, 1 to 65535, of one protocol.
///
/// A policy writes it as `443/tcp` or `8000-8100/udp`; that is what `Display` prints and `FromStr`
/// reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ports {
    protocol: Protocol,
    first: u16,
    last: u16,
}

/// Why numbers are not a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortsError {
    /// Port 0 cannot be published.
    #[error("port 0 is out of range")]
    Zero,
    /// The first port is above the last.
    #[error("the range `{first}-{last}` is reversed")]
    Reversed {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
}

impl Ports {
    /// The ports from `first` to `last`, both included.
    ///
    /// # Errors
    /// See [`PortsError`].
    pub fn new(protocol: Protocol, first: u16, last: u16) -> Result<Ports, PortsError> {
        if first == 0 || last == 0 {
            return Err(PortsError::Zero);
        }
        if first > last {
            return Err(PortsError::Reversed { first, last });
        }
        Ok(Ports { protocol, first, last })
    }

    /// One port.
    ///
    /// # Errors
    /// [`PortsError::Zero`].
    pub fn single(protocol: Protocol, port: u16) -> Result<Ports, PortsError> {
        Ports::new(protocol, port, port)
    }

    /// Every port of every protocol.
    pub(crate) fn every() -> impl Iterator<Item = Ports> {
        Protocol::ALL.into_iter().map(|protocol| Ports { protocol, first: 1, last: u16::MAX })
    }

    /// The transport protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether `port` of `protocol` is one of these ports.
    pub fn has(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && (self.first..=self.last).contains(&port)
    }

    /// Whether all ports of `other` are among these ports.
    pub fn includes(&self, other: &Ports) -> bool {
        self.has(other.protocol, other.first) && self.has(other.protocol, other.last)
    }

    /// The ports one by one.
    pub(crate) fn singles(self) -> impl ExactSizeIterator<Item = Ports> {
        let count = usize::from(self.last - self.first) + 1;
        (0..count).map(move |index| {
            let port = self.first + index as u16;
            Ports { first: port, last: port, ..self }
        })
    }

    /// The lowest port.
    pub fn first(&self) -> u16 {
        self.first
    }

    /// The highest port.
    pub fn last(&self) -> u16 {
        self.last
    }
}

/// As a policy writes it: `443/tcp`, `8000-8100/udp`.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}/{}", self.first, self.protocol)
        } else {
            write!(f, "{}-{}/{}", self.first, self.last, self.protocol)
        }
    }
}
