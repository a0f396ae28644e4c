//! Bytes on the wire: the socket, the batch, the encoding and decoding of nf_tables' messages.
//! The only unsafe code.
