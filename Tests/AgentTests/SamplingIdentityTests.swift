import FleetModel
import Testing

@testable import Agent

@Suite struct SamplingIdentityTests {
  @Test func `A host tells its name, system, processors and memory`() throws {
    let host = try FixtureHost("proc-5.10")
    let identity = HostIdentity.read(root: host.root)
    let facts = identity.facts
    #expect(facts.hostName == "trainer-07" && facts.kernelRelease == "5.10.0-28-amd64")
    #expect(facts.osName == "Debian GNU/Linux 11 (bullseye)")
    #expect(facts.cpuModel == "Intel(R) Xeon(R) Silver 4210R CPU @ 2.40GHz" && facts.cpuCount == 4)
    #expect(facts.memoryTotalBytes == 65_843_192 << 10 && facts.swapTotalBytes == 8_388_604 << 10)
    #expect(identity.bootID == BootID(high: 0x2f6b_d7c2_6ac0_4ea5, low: 0x9b0f_8f57_c6b1_a001))
    #expect(identity.machineID == "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
  }

  @Test func `What a container does not have stays empty`() throws {
    let host = try FixtureHost("proc-container")
    let identity = HostIdentity.read(root: host.root)
    #expect(identity.machineID.isEmpty && identity.facts.osName.isEmpty && identity.facts.cpuCount == 0)
    #expect(identity.facts.memoryTotalBytes == 4 << 30)
  }

  @Test func `An id that is no id is not taken`() {
    #expect(HostIdentity.hexadecimal("uninitialized") == nil)
    #expect(HostIdentity.hexadecimal("0123456789abcdef0123456789ABCDEF")?.1 == 0x0123_4567_89ab_cdef)
    #expect(HostIdentity.hexadecimal(String(repeating: "0", count: 33)) == nil)
    #expect(HostIdentity.hexadecimal("") == nil)
  }
}
