import EventLoop
import Testing

@Suite struct AddressGroupTests {
  @Test(
    "an IPv4 address counts for itself, an IPv6 one for its /64",
    arguments: [
      ("10.0.0.7", "10.0.0.7"), ("::ffff:10.0.0.7", "::ffff:10.0.0.7"), ("2001:db8::1", "2001:db8:0:0::/64"),
      ("2001:db8:0:0:1:2:3:4", "2001:db8:0:0::/64"), ("2001:db8:1:2:3::", "2001:db8:1:2::/64"),
      ("::1", "0:0:0:0::/64"), ("::", "0:0:0:0::/64"), ("1:2:3:4:5:6:7::8", "1:2:3:4::/64"),
      (":::::::::", "0:0:0:0::/64"),
    ])
  func group(host: String, group: String) {
    #expect(SocketAddress(host: host, port: 1).group == group)
  }
}
