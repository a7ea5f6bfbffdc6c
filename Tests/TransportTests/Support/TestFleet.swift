import Files
import Foundation
import TLS

/// An authority, a server's certificate and agents' certificates, made by openssl(1) once for all tests of a process.
struct TestFleet: Sendable {
  let directory: String

  static let shared = TestFleet()

  private init() {
    directory = "/tmp/transport-tests-\(getpid())"
    try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try? Data(Self.configuration.utf8).write(to: URL(filePath: directory + "/openssl.cnf"))
    let result = Self.shell(directory, Self.script)
    precondition(result == 0, "openssl failed with \(result)")
    atexit { try? FileManager.default.removeItem(atPath: "/tmp/transport-tests-\(getpid())") }
  }

  func path(_ name: String) -> String { directory + "/" + name }
  func pem(_ name: String) -> [UInt8] { (try? HostFiles.read(path(name))) ?? [] }
  func credentials(_ name: String) -> TLSCredentials {
    TLSCredentials(chainPEM: pem(name + ".pem"), keyPEM: pem(name + ".key"))
  }

  var authority: [UInt8] { pem("ca.pem") }

  func server(_ admission: TLSContext.Admission? = nil) throws -> TLSContext {
    try TLSContext.server(credentials("server"), trust: authority, admission: admission)
  }

  func client(
    _ name: String? = "agent", trust: TLSTrust? = nil, server: TLSServerName = .host("localhost")
  ) throws -> TLSContext {
    try TLSContext.client(
      name.map { credentials($0) }, trust: trust ?? .authorities(pem: authority), server: server)
  }

  static func shell(_ directory: String, _ script: String) -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-ec", script]
    process.currentDirectoryURL = URL(filePath: directory)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: directory + "/log") ?? FileHandle.nullDevice
    do { try process.run() } catch { return -1 }
    process.waitUntilExit()
    return process.terminationStatus
  }

  private static let script = """
    exec 2>log
    touch index.txt; echo 1000 > serial
    authority() {
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -keyout $1.key -out $1.pem
    }
    authority ca; authority other
    issue() { # name, extensions, start, end, authority
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout $1.key -out $1.csr
      openssl ca -batch -config openssl.cnf -extensions $2 -startdate $3 -enddate $4 -cert $5.pem -keyfile $5.key \
        -notext -in $1.csr -out $1.leaf
      cat $1.leaf $5.pem > $1.pem
    }
    issue server server 20200101000000Z 20990101000000Z ca
    issue server2 server 20200101000000Z 20990101000000Z ca
    issue agent agent 20200101000000Z 20990101000000Z ca
    issue agent2 agent 20200101000000Z 20990101000000Z ca
    issue expired agent 20200101000000Z 20210101000000Z ca
    issue future agent 20980101000000Z 20990101000000Z ca
    issue stranger agent 20200101000000Z 20990101000000Z other
    issue wronguse server 20200101000000Z 20990101000000Z ca
    """

  private static let configuration = """
    [ca]
    default_ca = fleet
    [fleet]
    database = index.txt
    serial = serial
    new_certs_dir = .
    default_md = sha256
    policy = any
    unique_subject = no
    [any]
    commonName = supplied
    [server]
    extendedKeyUsage = serverAuth
    subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1,URI:signalbox://collector
    [agent]
    extendedKeyUsage = clientAuth
    subjectAltName = URI:signalbox://agent/6d7a3c1e-0000-4000-8000-000000000001
    """
}
