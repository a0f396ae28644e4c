//! Netlink attributes: `{u16 length, u16 type, payload}`, each padded to four bytes.

use std::borrow::Cow;

use super::uapi::{NESTED, TYPE_MASK};

const HEADER: usize = 4;

/// One attribute as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// Its number, without the flags `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
    pub number: u16,
    /// Its payload without padding.
    pub payload: &'a [u8],
    /// The offset of its header in the bytes that were iterated over.
    pub offset: usize,
}

impl<'a> Attribute<'a> {
    /// A big-endian `u32`, as nf_tables has them.
    pub fn be_u32(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.payload.try_into().ok()?))
    }

    /// A big-endian `u64`.
    pub fn be_u64(&self) -> Option<u64> {
        Some(u64::from_be_bytes(self.payload.try_into().ok()?))
    }

    /// A string with or without its NUL.
    pub fn string(&self) -> Cow<'a, str> {
        let end = self.payload.iter().position(|byte| *byte == 0).unwrap_or(self.payload.len());
        let text = &self.payload[..end];
        // Takes half the time of `from_utf8_lossy`.
        str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
    }

    /// The attributes in the payload.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.payload)
    }
}

/// An iterator over the attributes in some bytes. It ends at the first truncated one.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Attributes<'a> {
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { bytes, offset: 0 }
    }

    /// The first attribute of this number.
    pub fn find(mut self, number: u16) -> Option<Attribute<'a>> {
        Iterator::find(&mut self, |attribute| attribute.number == number)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let rest = self.bytes.get(self.offset..)?;
        let (header, _) = rest.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let number = u16::from_ne_bytes([header[2], header[3]]) & TYPE_MASK;
        let payload = rest.get(HEADER..length)?;
        let attribute = Attribute { number, payload, offset: self.offset };
        self.offset += align(length);
        Some(attribute)
    }
}

/// The next multiple of four.
pub fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Appends an attribute with its padding.
pub fn put(bytes: &mut Vec<u8>, number: u16, payload: &[u8]) {
    let length = u16::try_from(HEADER + payload.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(align(bytes.len()), 0);
}

/// Appends a string with its NUL.
pub fn put_string(bytes: &mut Vec<u8>, number: u16, text: &str) {
    put(bytes, number, &[text.as_bytes(), &[0]].concat());
}

/// Appends an attribute that holds the attributes that `fill` appends.
pub fn put_nested(bytes: &mut Vec<u8>, number: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    put(bytes, number | NESTED, &[]);
    fill(bytes);
    let length = u16::try_from(bytes.len() - start).unwrap_or(u16::MAX);
    bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_put_is_read() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1, b"nat\0");
        put_nested(&mut bytes, 5, |bytes| put(bytes, 2, &7u32.to_be_bytes()));
        put(&mut bytes, 6, b"x");
        assert_eq!(bytes.len(), 8 + 12 + 8);
        let read: Vec<Attribute> = Attributes::new(&bytes).collect();
        assert_eq!(read.iter().map(|attribute| attribute.number).collect::<Vec<_>>(), [1, 5, 6]);
        assert_eq!(read[0].string(), "nat");
        assert_eq!(read[1].nested().find(2).and_then(|value| value.be_u32()), Some(7));
        assert_eq!(read[2].payload, b"x");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let read: usize = Attributes::new(&bytes).map(|attribute| attribute.payload.len()).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
