internal import CCurl
internal import Glibc

/// Keeps a configured URL from reaching what only this machine may ask: link-local addresses, and with them the clouds'
/// metadata services. Checked on the address that is really connected to, so that no name can lead there either.
package enum AddressGuard {
  /// - Parameter bytes: an IPv4 (4 bytes) or IPv6 (16 bytes) address.
  package static func isForbidden(_ bytes: [UInt8]) -> Bool {
    switch bytes.count {
    case 4: isForbiddenIPv4(bytes[...])
    case 16:
      if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10...11].allSatisfy({ $0 == 0xff }) {
        isForbiddenIPv4(bytes[12...])
      } else {
        // fe80::/10 link-local, ff00::/8 multicast, :: unspecified, fd00:ec2::254 (EC2's metadata).
        (bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80) || bytes[0] == 0xff || bytes.allSatisfy { $0 == 0 }
          || bytes == [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]
          // 64:ff9b::/96 (NAT64) holds an IPv4 address.
          || (bytes.starts(with: [0, 0x64, 0xff, 0x9b]) && isForbiddenIPv4(bytes[12...]))
      }
    default: true
    }
  }

  /// RFC 3927 link-local (with 169.254.169.254), 0.0.0.0/8, multicast, broadcast, Alibaba's metadata.
  private static func isForbiddenIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
    let address = Array(bytes)
    return (address[0] == 169 && address[1] == 254) || address[0] == 0 || address[0] >= 224
      || address == [100, 100, 100, 200]
  }
}

/// libcurl's CURLOPT_OPENSOCKETFUNCTION: makes the socket, or refuses the address.
/// - Parameter owner: the `Transfer`, which reports the reason.
func openGuardedSocket(
  _ owner: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
  let refused: curl_socket_t = -1
  guard let address = unsafe address else { return refused }
  let family = unsafe address.pointee.family
  // The union behind `addr` is as long as `addrlen`; only the address's own bytes are read.
  let bytes: [UInt8]
  if family == AF_INET {
    let start = unsafe UnsafeMutableRawPointer(address).advanced(by: sockaddrOffset)
    bytes = (4..<8).map { unsafe start.load(fromByteOffset: $0, as: UInt8.self) }
  } else if family == AF_INET6 {
    guard unsafe address.pointee.addrlen >= 28 else { return refused }
    let start = unsafe UnsafeMutableRawPointer(address).advanced(by: sockaddrOffset)
    bytes = (8..<24).map { unsafe start.load(fromByteOffset: $0, as: UInt8.self) }
  } else {
    return refused
  }
  if AddressGuard.isForbidden(bytes) {
    if let owner = unsafe owner {
      unsafe Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue().isForbidden = true
    }
    return refused
  }
  return unsafe socket(
    family, address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.protocol)
}

/// Where curl_sockaddr keeps its address: behind three ints and the length.
private let sockaddrOffset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 16
