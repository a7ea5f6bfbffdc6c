/// One step of the schema. Forward only: a released step is never changed.
struct Migration {
  let number: Int32
  let name: String
  let sql: @Sendable (Capability) -> String

  static let all: [Migration] = [
    Migration(number: 1, name: "the fleet's tables and views") { capability in
      IdentityTables.sql + TrainingTables.sql + OperationTables.sql + LogTables.counts
        + (SampleTables.all + LogTables.all).map { $0.sql(capability) }.joined()
        + PartitionFunctions.sql(capability)
        + AggregateTable.all.map { $0.migration(capability) }.joined()
        + PublicViews.sql
    },
    Migration(number: 2, name: "incidents, outbox, silences and leases") { _ in IncidentTables.sql },
    Migration(number: 3, name: "what the rules remember") { _ in RuleTables.sql },
    Migration(number: 4, name: "silences that come back, and turns that somebody takes over") { _ in
      RepetitionTables.sql
    },
    Migration(number: 5, name: "incidents that people have ended") { _ in RuleTables.endedByHand },
    Migration(number: 6, name: "quotas of hosts, and pages of marks") { _ in QuotaTables.sql },
    Migration(number: 7, name: "hosts that keep their identity, invitations and server names") { _ in
      FleetIdentityTables.sql
    },
    Migration(number: 8, name: "totals a run") { _ in RunTotalTables.sql },
    Migration(number: 9, name: "bounded figures of an episode") { _ in EpisodeView.bounded },
    Migration(number: 10, name: "the login for people's SQL, and locks of Signalbox's own") { AccessTables.sql($0) },
    Migration(number: 11, name: "episodes without a beginning, and details of runs that stay") { _ in
      TrainingTables.details
    },
    Migration(number: 12, name: "housekeeping that keeps no one waiting", sql: HousekeepingTables.sql),
    Migration(number: 13, name: "history of followed files, and what is not followed") { _ in FollowingTables.sql },
    Migration(number: 14, name: "meters of quotas") { _ in QuotaTables.meters },
    Migration(number: 15, name: "patterns with a star anywhere") { _ in RepetitionTables.patterns },
    Migration(number: 16, name: "files in encodings that are not read") { _ in FollowingTables.wideText },
    Migration(number: 17, name: "news of lists, causes, parts of tests and of mails, overrides that end") { _ in
      IncidentTables.lists
    },
    Migration(number: 18, name: "the order of the states that rules keep") { _ in RuleTables.sequence },
    Migration(number: 19, name: "a host's newest GPU readings as typed values") { _ in IdentityTables.gpuReadings },
    Migration(number: 20, name: "pauses of receivers, incidents that mute others, reserved deliveries") { _ in
      IncidentTables.pauses
    },
    Migration(number: 21, name: "open incidents of a host") { _ in IncidentTables.openOfHost },
    Migration(number: 22, name: "deliveries that were refused") { _ in IncidentTables.refused },
    Migration(number: 23, name: "credentials of the console") { _ in ConsoleTables.sql },
    Migration(number: 24, name: "a login for what the console reads") { _ in AccessTables.purposes },
    Migration(number: 25, name: "what the views and their columns mean") { _ in ViewDocumentation.sql },
    Migration(number: 26, name: "links in messages, and events of receivers") { _ in LinkTables.sql },
    Migration(number: 27, name: "addresses of calendars") { _ in ConsoleTables.calendars },
    Migration(number: 28, name: "runbooks of the rules that run") { _ in RuleTables.pages },
    Migration(number: 29, name: "templates of log lines") { _ in LogTables.templates },
    Migration(number: 30, name: "steps folded by \(StepBlockTables.stepsOfBlock) for curves") { _ in StepBlockTables.sql
    },
    Migration(number: 31, name: "statements that are saved under a name") { _ in ConsoleTables.savedQueries },
    Migration(number: 32, name: "silences in receivers") { _ in LinkTables.silences },
    Migration(number: 33, name: "texts of runs") { _ in RunTextTables.sql },
    Migration(number: 34, name: "turns that are ahead") { _ in RepetitionTables.turns },
    Migration(number: 35, name: "tokens by which consoles fetch events") { _ in LinkTables.fetchedEvents },
    Migration(number: 36, name: "what failures are put down to") { _ in IncidentTables.diagnoses },
    Migration(number: 37, name: "how processes ended") { _ in ProcessEndTables.sql },
    Migration(number: 38, name: "runs of several sources and attempts") { _ in RunAttemptTables.sql },
    Migration(number: 39, name: "jobs of several hosts by more than Slurm's number") { _ in RunJobTables.sql },
  ]
}
