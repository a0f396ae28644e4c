//! The blobs of xtables' targets, of every revision that iptables 1.8 writes.

use super::blob::Blob;
use super::data::Data;
use crate::model::kernel::{ConnmarkMode, Translation, XtTarget};
use crate::model::{Family, IpVersion};
use crate::netlink::uapi::extension::{INFO, NAME, REVISION};

/// `NF_NAT_RANGE_MAP_IPS` and `NF_NAT_RANGE_PROTO_SPECIFIED`: the blob has addresses, or ports.
const HAS_ADDRESSES: u32 = 1;
const HAS_PORTS: u32 = 2;

/// Reads the data of the expression `target`. One that is not understood is `Other`.
pub fn read(data: Data, family: Family) -> Option<XtTarget> {
    let name = data.string(NAME)?;
    let revision = data.number(REVISION)?;
    let blob = Blob(data.0.nested().find(INFO)?.payload);
    let translation = || translation(blob, revision, family.version()?);
    let known = match (name.as_ref(), revision) {
        ("DNAT", 0..=2) => translation().map(XtTarget::Dnat),
        ("SNAT", 0..=2) => translation().map(XtTarget::Snat),
        ("MASQUERADE", 0) => translation().map(XtTarget::Masquerade),
        ("REDIRECT", 0) => translation().map(XtTarget::Redirect),
        ("MARK", 2) => mark(blob),
        ("CONNMARK", 1 | 2) => connmark(blob, revision),
        ("LOG", 0) => log(blob),
        ("NFLOG", 0) => nflog(blob),
        ("TCPMSS", 0) => {
            blob.u16(0).map(|size| XtTarget::TcpMss((size != u16::MAX).then_some(size)))
        }
        ("REJECT", 0) => {
            blob.u32(0).map(|with| XtTarget::Reject { v6: family == Family::Ip6, with })
        }
        ("CT", 1 | 2) => ct(blob),
        ("NOTRACK", 0) => Some(XtTarget::Notrack),
        ("TRACE", 0) => Some(XtTarget::Trace),
        _ => None,
    };
    Some(known.unwrap_or_else(|| XtTarget::Other(name.into())))
}

/// In revision 0 of IPv4 `struct nf_nat_ipv4_multi_range_compat`, else `struct nf_nat_range` or
/// `struct nf_nat_range2`. The targets `MASQUERADE` and `REDIRECT` have no other revision.
fn translation(blob: Blob, revision: u32, version: IpVersion) -> Option<Translation> {
    let is_compat = revision == 0 && version == IpVersion::V4;
    let (flags, first, last, ports) = if is_compat { (4, 8, 12, 16) } else { (0, 4, 20, 36) };
    let flags = blob.u32(flags)?;
    let addresses = || Some((blob.address(first, version)?, blob.address(last, version)?));
    Some(Translation {
        addresses: if flags & HAS_ADDRESSES != 0 { Some(addresses()?) } else { None },
        ports: if flags & HAS_PORTS != 0 { Some(blob.be_ports(ports)?) } else { None },
        flags,
    })
}

/// `struct xt_mark_tginfo2`.
fn mark(blob: Blob) -> Option<XtTarget> {
    Some(XtTarget::Mark { value: blob.u32(0)?, mask: blob.u32(4)? })
}

/// `struct xt_connmark_tginfo1`, `struct xt_connmark_tginfo2`: the second has a shift before the mode.
fn connmark(blob: Blob, revision: u32) -> Option<XtTarget> {
    let (mode, shift) =
        if revision == 1 { (blob.u8(12)?, 0) } else { (blob.u8(14)?, blob.u8(13)?) };
    let mode = match (mode, shift) {
        (0, 0) => ConnmarkMode::Set,
        (1, 0) => ConnmarkMode::Save,
        (2, 0) => ConnmarkMode::Restore,
        _ => ConnmarkMode::Other,
    };
    let (value, mask, packet_mask) = (blob.u32(0)?, blob.u32(4)?, blob.u32(8)?);
    Some(XtTarget::Connmark { value, mask, packet_mask, mode })
}

/// `struct xt_log_info`.
fn log(blob: Blob) -> Option<XtTarget> {
    Some(XtTarget::Log { level: blob.u8(0)?, flags: blob.u8(1)?, prefix: blob.text(2, 30)? })
}

/// `struct xt_nflog_info`; the size counts if `XT_NFLOG_F_COPY_LEN` is set.
fn nflog(blob: Blob) -> Option<XtTarget> {
    let size = (blob.u16(8)? & 1 != 0).then_some(blob.u32(0)?);
    let (group, threshold, prefix) = (blob.u16(4)?, blob.u16(6)?, blob.text(12, 64)?);
    Some(XtTarget::Nflog { group, threshold, size, prefix })
}

/// `struct xt_ct_target_info`, `struct xt_ct_target_info_v1`.
fn ct(blob: Blob) -> Option<XtTarget> {
    Some(XtTarget::Ct { flags: blob.u16(0)?, zone: blob.u16(2)?, helper: blob.text(12, 16)? })
}
