internal import Files
internal import FleetModel
internal import Foundation
internal import NIOSSL
internal import TLS

/// The console's certificate: the site's own, or one that the fleet's authority signs.
enum Identity {
  static func configuration(_ options: ConsoleOptions) throws -> TLSConfiguration {
    let (chain, key) = try pem(options)
    do {
      let certificates = try NIOSSLCertificate.fromPEMBytes(chain).map(NIOSSLCertificateSource.certificate)
      var tls = TLSConfiguration.makeServerConfiguration(
        certificateChain: certificates, privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
      tls.minimumTLSVersion = .tlsv12
      return tls
    } catch {
      let files = options.certificate.map { "\($0) and \(options.key ?? "") are" } ?? "the certificate is"
      throw ConsoleFailure(.failed, "\(files) no certificate in PEM form with its private key (\(error))")
    }
  }

  private static func pem(_ options: ConsoleOptions) throws -> (chain: [UInt8], key: [UInt8]) {
    if let certificate = options.certificate, let key = options.key {
      do throws(FileError) {
        return (try HostFiles.read(certificate), try HostFiles.read(key))
      } catch {
        throw ConsoleFailure(.failed, "\(error)")
      }
    }
    guard let directory = options.stateDirectory else {
      throw ConsoleFailure(
        .usage,
        "the console speaks TLS only: give --certificate FILE and --key FILE, or --state-dir DIR of a collector on this machine"
      )
    }
    do throws(IdentityError) {
      let authority = try CertificateAuthority.load(directory: directory)
      let host = options.host
      let isAddress = host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") || $0.isDigit }
      let (key, issued) = try authority.serverCertificate(
        names: Array(Set((isAddress ? [] : [host]) + ["localhost"] + publicName(options))).sorted(),
        addresses: Array(Set(["127.0.0.1"] + (isAddress && host != "0.0.0.0" && host != "::" ? [host] : []))).sorted(),
        nowNs: Clock.wallNs(), lifeSeconds: lifeSeconds)
      return (Array(issued.chainPEM.utf8), Array(try key.pem().utf8))
    } catch {
      throw ConsoleFailure(.failed, "\(error)")
    }
  }

  /// The name under which people reach the console.
  private static func publicName(_ options: ConsoleOptions) -> [String] {
    guard let url = options.publicURL.flatMap({ URL(string: $0) }), let host = url.host(),
      CertificateAuthority.isServerName(host), host.utf8.contains(where: { !$0.isDigit && $0 != UInt8(ascii: ".") })
    else { return [] }
    return [host]
  }

  /// A console that is started again gets a new one.
  private static let lifeSeconds: Int64 = 90 * 86_400
}

extension UInt8 {
  fileprivate var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
}
