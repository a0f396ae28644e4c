//! Questions and answers of the DNS (RFC 1035), as bytes.

use std::net::IpAddr;
use std::time::Duration;

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::name::Name;
use domain::base::{Message, MessageBuilder, ParsedName, ToName};
use domain::dep::octseq::Array;
use domain::rdata::{A, Aaaa, Cname};

use super::answer::{Found, is_usable};
use super::error::LookupError;
use crate::model::IpVersion;
use crate::policy::HostName;

/// The longest chain of aliases that is followed. Unbound and BIND follow 11.
const ALIASES_MAX: usize = 16;
/// The most records of an answer that are looked at.
const RECORDS_MAX: usize = 8_192;

/// A question for the addresses of one IP version.
pub(super) struct Query {
    version: IpVersion,
    bytes: Array<512>,
}

/// The answer to a question, as far as its header goes.
pub(super) enum Reply<'m> {
    /// It does not answer the question.
    Unrelated,
    /// It is cut off: the whole answer is to be had over TCP.
    Truncated,
    /// An error of the server, such as `SERVFAIL`.
    Error(String),
    /// There is no such name.
    NoSuchName,
    /// The answer.
    Answer(Message<&'m [u8]>),
}

/// The addresses in an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub found: Result<Found, LookupError>,
    /// Those that no client can have.
    pub dropped: Vec<IpAddr>,
}

impl Query {
    /// A question with this ID, which has to be random.
    pub fn new(host: &HostName, version: IpVersion, id: u16) -> Result<Query, LookupError> {
        const NAME: LookupError = LookupError::Malformed("the question does not fit");
        let name = Name::<Array<256>>::from_chars(host.as_str().chars()).map_err(|_| NAME)?;
        let mut builder = MessageBuilder::from_target(Array::<512>::new()).map_err(|_| NAME)?;
        builder.header_mut().set_id(id);
        builder.header_mut().set_rd(true);
        let mut question = builder.question();
        question.push((&name, rtype(version))).map_err(|_| NAME)?;
        Ok(Query { version, bytes: question.finish() })
    }

    /// The IP version.
    pub fn version(&self) -> IpVersion {
        self.version
    }

    /// The bytes to send.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// What the bytes of a server say. An answer has the ID and the question of the query.
    pub fn reply<'m>(&self, bytes: &'m [u8]) -> Reply<'m> {
        let (Ok(query), Ok(message)) =
            (Message::from_octets(self.bytes()), Message::from_octets(bytes))
        else {
            return Reply::Unrelated;
        };
        let header = message.header();
        if header.opcode() != Opcode::QUERY || !message.is_answer(&query) {
            return Reply::Unrelated;
        }
        match header.rcode() {
            _ if header.tc() => Reply::Truncated,
            Rcode::NOERROR => Reply::Answer(message),
            Rcode::NXDOMAIN => Reply::NoSuchName,
            code => Reply::Error(code.to_string()),
        }
    }

    /// The addresses in an answer: those of the name, or of the name that it is an alias of. Records of
    /// other names are ignored.
    pub fn addresses(&self, message: &Message<&[u8]>) -> Addresses {
        let mut dropped = Vec::new();
        let found = self.read(message, &mut dropped);
        dropped.sort_unstable();
        dropped.dedup();
        Addresses { found, dropped }
    }

    fn read(
        &self,
        message: &Message<&[u8]>,
        dropped: &mut Vec<IpAddr>,
    ) -> Result<Found, LookupError> {
        const MALFORMED: LookupError = LookupError::Malformed("a record cannot be read");
        let question = message.sole_question().map_err(|_| MALFORMED)?;
        let (name, mut ttl) = canonical(message, question.into_qname())?;
        let mut addresses = Vec::new();
        for record in message.answer().map_err(|_| MALFORMED)?.take(RECORDS_MAX) {
            let record = record.map_err(|_| MALFORMED)?;
            let is_ours = record.class() == Class::IN && record.rtype() == rtype(self.version);
            if !is_ours || !record.owner().name_eq(&name) {
                continue;
            }
            let seconds = record.ttl().as_secs();
            let address = match self.version {
                IpVersion::V4 => {
                    record.into_record::<A>().map(|it| it.map(|it| it.data().addr().into()))
                }
                IpVersion::V6 => {
                    record.into_record::<Aaaa>().map(|it| it.map(|it| it.data().addr().into()))
                }
            };
            let address: IpAddr = address.ok().flatten().ok_or(MALFORMED)?;
            if is_usable(address) {
                addresses.push(address);
                ttl = ttl.min(seconds);
            } else {
                dropped.push(address);
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        match (addresses.is_empty(), dropped.first()) {
            (false, _) => Ok(Found { addresses, ttl: Duration::from_secs(ttl.into()) }),
            (true, Some(address)) => Err(LookupError::Unusable(*address)),
            (true, None) => Err(LookupError::NoAddress),
        }
    }
}

/// The name at the end of the aliases in an answer, and the shortest TTL on the way to it in seconds.
fn canonical<'m>(
    message: &Message<&'m [u8]>,
    name: ParsedName<&'m [u8]>,
) -> Result<(ParsedName<&'m [u8]>, u32), LookupError> {
    const MALFORMED: LookupError = LookupError::Malformed("an alias cannot be read");
    let mut aliases = Vec::new();
    let records = message.answer().map_err(|_| MALFORMED)?.limit_to_in::<Cname<_>>();
    for record in records.take(RECORDS_MAX) {
        let record = record.map_err(|_| MALFORMED)?;
        let (owner, ttl) = (*record.owner(), record.ttl().as_secs());
        aliases.push((owner, ttl, record.into_data().into_cname()));
    }
    let (mut name, mut ttl) = (name, u32::MAX);
    for _ in 0..=ALIASES_MAX {
        let Some((_, own, target)) = aliases.iter().find(|(owner, ..)| owner.name_eq(&name)) else {
            return Ok((name, ttl));
        };
        (name, ttl) = (*target, ttl.min(*own));
    }
    Err(LookupError::AliasLoop)
}

fn rtype(version: IpVersion) -> Rtype {
    match version {
        IpVersion::V4 => Rtype::A,
        IpVersion::V6 => Rtype::AAAA,
    }
}
