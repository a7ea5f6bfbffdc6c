import FleetModel
import SiteConfiguration

/// `FILE:LINE: sentence`: where and what, without the column and the keys.
func sentence(_ mistake: DocumentMistake) -> String { "\(mistake.file):\(mistake.line): \(mistake.message)" }

/// What is wrong in a `signalbox.yaml` called x.
func sentences(_ yaml: String) -> [String] { ConfigurationReader.check(yaml, file: "x").mistakes.map(sentence) }
