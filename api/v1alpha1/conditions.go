package v1alpha1

// Condition types. Their meaning never flips; their status does.
const (
	// ConditionReady sums up the other conditions of an object.
	ConditionReady = "Ready"
	// ConditionAccepted tells whether a ModelRoute's spec is valid and in force.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs tells whether everything that an object refers to exists and may be used.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed tells whether every ready proxy pod, and at least one, serves this generation.
	ConditionProgrammed = "Programmed"
	// ConditionHealthy tells whether calls to the provider work, at least in part: its state is Healthy or Degraded; of a ModelRoute, whether that is so of at least one target that calls can go to.
	ConditionHealthy = "Healthy"
	// ConditionModelsAvailable tells whether the providers offer the models of all targets.
	ConditionModelsAvailable = "ModelsAvailable"
	// ConditionKeyValid tells whether the provider took the key at the last probe.
	ConditionKeyValid = "KeyValid"
	// ConditionRotating tells whether a key of a ProviderCredential is being replaced: a new one is tried, or the previous one can still be used. It is false, with the reason KeyRejected, while a new key waits that the provider refuses.
	ConditionRotating = "Rotating"
	// ConditionKeyFresh tells whether all keys are younger than rotation.maxAge; there is none without a maxAge.
	ConditionKeyFresh = "KeyFresh"
	// ConditionProvisioned tells whether keys are made at the provider on schedule; there is none without rotation.provision.
	ConditionProvisioned = "Provisioned"
	// ConditionEnforced tells whether every ready proxy pod, and at least one, applies this generation of a SpendBudget.
	ConditionEnforced = "Enforced"
	// ConditionNearLimit tells whether spending has reached the lowest Notify action.
	ConditionNearLimit = "NearLimit"
	// ConditionExceeded tells whether spending has reached the limit, or of a Hard budget come so near that most calls do not fit any more.
	ConditionExceeded = "Exceeded"
	// ConditionOverrun tells whether a call cost more than what a Hard budget had reserved for it, which a provider that honours its limits does not do.
	ConditionOverrun = "Overrun"
	// ConditionLedgerPressure tells whether a budget's ledger outgrows the place where it is kept.
	ConditionLedgerPressure = "LedgerPressure"
)

// Reasons of conditions and of target states.
const (
	// ReasonReady: all that is needed works.
	ReasonReady = "Ready"
	// ReasonPending: not yet observed; it will be.
	ReasonPending = "Pending"
	// ReasonAccepted: the spec is valid and in force.
	ReasonAccepted = "Accepted"
	// ReasonInvalid: the spec has an error that the API server could not see; the last good version stays in force.
	ReasonInvalid = "Invalid"
	// ReasonModelConflict: another, older ModelRoute of the namespace has the same model name; the message names it.
	ReasonModelConflict = "ModelConflict"
	// ReasonUnsupportedValue: a field has a value that this version or installation cannot serve.
	ReasonUnsupportedValue = "UnsupportedValue"
	// ReasonResolvedRefs: all references resolve.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonBackendNotFound: a target's ProviderCredential does not exist.
	ReasonBackendNotFound = "BackendNotFound"
	// ReasonBackendUnusable: a target's ProviderCredential exists but cannot be used; its own conditions say why.
	ReasonBackendUnusable = "BackendUnusable"
	// ReasonSecretNotFound: the Secret does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretNotLabelled: the Secret exists without the label that lets Signalbox read it; the message is the command that sets it.
	ReasonSecretNotLabelled = "SecretNotLabelled"
	// ReasonSecretKeyNotFound: the Secret has no such key.
	ReasonSecretKeyNotFound = "SecretKeyNotFound"
	// ReasonInvalidKey: the stored value cannot be an API key.
	ReasonInvalidKey = "InvalidKey"
	// ReasonEndpointDenied: the endpoint is at an address that must not be called.
	ReasonEndpointDenied = "EndpointDenied"
	// ReasonProgrammed: the proxies serve this generation.
	ReasonProgrammed = "Programmed"
	// ReasonNoReadyProxy: no proxy pod is ready.
	ReasonNoReadyProxy = "NoReadyProxy"
	// ReasonLastGoodServed: the proxies serve an older generation because this one is not valid.
	ReasonLastGoodServed = "LastGoodServed"
	// ReasonTableTooLarge: the namespace's routing table is too large to be delivered.
	ReasonTableTooLarge = "TableTooLarge"
	// ReasonConflict: an object of the same name exists that Signalbox did not make; it is not taken over.
	ReasonConflict = "Conflict"
	// ReasonKeyAccepted: the provider took the key.
	ReasonKeyAccepted = "KeyAccepted"
	// ReasonKeyRejected: the provider refused the key.
	ReasonKeyRejected = "KeyRejected"
	// ReasonKeyHeld: the probe could not tell whether a new key is good, and rotation.whenUnknown is Hold.
	ReasonKeyHeld = "KeyHeld"
	// ReasonCheckingKey: the provider is being asked about a new key, which is not used before.
	ReasonCheckingKey = "CheckingKey"
	// ReasonCanary: a new key gets a share of the calls.
	ReasonCanary = "Canary"
	// ReasonOverlap: a new key leads, and the previous one can still be used.
	ReasonOverlap = "Overlap"
	// ReasonSettled: no key is being replaced.
	ReasonSettled = "Settled"
	// ReasonWithinMaxAge: no key is near its greatest age.
	ReasonWithinMaxAge = "WithinMaxAge"
	// ReasonKeyExpiring: less than a fifth of a key's greatest age is left.
	ReasonKeyExpiring = "KeyExpiring"
	// ReasonKeyExpired: a key is older than its greatest age. It goes on being used.
	ReasonKeyExpired = "KeyExpired"
	// ReasonProvisioned: the key that is in use was made on schedule.
	ReasonProvisioned = "Provisioned"
	// ReasonProvisioning: a key is being made.
	ReasonProvisioning = "Provisioning"
	// ReasonProvisionFailed: the provider's management API failed or refused; the key in use goes on being used.
	ReasonProvisionFailed = "ProvisionFailed"
	// ReasonCallsFail: too large a share of the calls fails.
	ReasonCallsFail = "CallsFail"
	// ReasonSlow: the first token takes longer than probe.slowAfter.
	ReasonSlow = "Slow"
	// ReasonRateLimited: the provider limits the rate of calls.
	ReasonRateLimited = "RateLimited"
	// ReasonQuotaExhausted: the quota or credit of the account is used up.
	ReasonQuotaExhausted = "QuotaExhausted"
	// ReasonUnreachable: the provider cannot be reached.
	ReasonUnreachable = "Unreachable"
	// ReasonProbeContradicted: probes fail while calls work, or the other way round.
	ReasonProbeContradicted = "ProbeContradicted"
	// ReasonSomeKeysUnusable: some keys cannot be used; calls go on with the others.
	ReasonSomeKeysUnusable = "SomeKeysUnusable"
	// ReasonRefNotPermitted: the access of the ModelRoute that a target refers to does not admit this namespace's proxy.
	ReasonRefNotPermitted = "RefNotPermitted"
	// ReasonIssuerNotFound: the platform's configuration has no token issuer of the name that an access rule or a budget gives.
	ReasonIssuerNotFound = "IssuerNotFound"
	// ReasonRouteLoop: calls to the target would come back to this route.
	ReasonRouteLoop = "RouteLoop"
	// ReasonNoKeyNeeded: the endpoint takes no key.
	ReasonNoKeyNeeded = "NoKeyNeeded"
	// ReasonProbeSucceeded: the provider answered the probe.
	ReasonProbeSucceeded = "ProbeSucceeded"
	// ReasonCallsSucceed: calls to the provider work.
	ReasonCallsSucceed = "CallsSucceed"
	// ReasonProbeFailed: the provider did not answer the probe, or with an error.
	ReasonProbeFailed = "ProbeFailed"
	// ReasonProbeNotPermitted: the endpoint is not one that the manager may call, so its health is not known.
	ReasonProbeNotPermitted = "ProbeNotPermitted"
	// ReasonProbeInconclusive: the answer to the probe does not tell whether the key is valid.
	ReasonProbeInconclusive = "ProbeInconclusive"
	// ReasonTargetsAvailable: at least one target can be used.
	ReasonTargetsAvailable = "TargetsAvailable"
	// ReasonNoTargetAvailable: no target can be used.
	ReasonNoTargetAvailable = "NoTargetAvailable"
	// ReasonDrained: the target's weight is 0.
	ReasonDrained = "Drained"
	// ReasonRequirementNotMet: the target does not declare, or is not known to have, what the route requires.
	ReasonRequirementNotMet = "RequirementNotMet"
	// ReasonModelsAvailable: no provider is known not to offer a target's model.
	ReasonModelsAvailable = "ModelsAvailable"
	// ReasonModelNotListed: the provider's list of models does not have the target's model; calls to it may fail.
	ReasonModelNotListed = "ModelNotListed"
	// ReasonModelWithdrawn: the provider answered that it does not offer the target's model, and the target has no successor that serves.
	ReasonModelWithdrawn = "ModelWithdrawn"
	// ReasonSuccessorServes: the provider has withdrawn the target's model, and calls go to its successor.
	ReasonSuccessorServes = "SuccessorServes"
	// ReasonCircuitOpen: the target failed too often of late; single calls try whether it is back.
	ReasonCircuitOpen = "CircuitOpen"
	// ReasonCoolingDown: the provider limits the rate or the account, and is left alone for the time that it asked for.
	ReasonCoolingDown = "CoolingDown"
	// ReasonEnforced: the proxies apply this generation.
	ReasonEnforced = "Enforced"
	// ReasonNoProxy: the namespace has no ModelRoute, hence no proxy.
	ReasonNoProxy = "NoProxy"
	// ReasonInvalidTimeZone: the time zone is not in the IANA database.
	ReasonInvalidTimeZone = "InvalidTimeZone"
	// ReasonWithinLimit: spending is below the limit or the share.
	ReasonWithinLimit = "WithinLimit"
	// ReasonThresholdReached: spending has reached the share of a Notify action.
	ReasonThresholdReached = "ThresholdReached"
	// ReasonLimitReached: spending has reached the limit.
	ReasonLimitReached = "LimitReached"
	// ReasonLedgerUnavailable: the ledger cannot be read.
	ReasonLedgerUnavailable = "LedgerUnavailable"
	// ReasonRouteNotFound: a ModelRoute that a SpendBudget or an access key names does not exist.
	ReasonRouteNotFound = "RouteNotFound"
	// ReasonRerouted: spending has reached the share from which on calls go to another route.
	ReasonRerouted = "Rerouted"
	// ReasonThrottled: spending has reached the share from which on fewer calls are admitted.
	ReasonThrottled = "Throttled"
	// ReasonLostSlice: a proxy ended without saying what it spent of what it held; that counts as spent.
	ReasonLostSlice = "LostSlice"
	// ReasonWithinReservations: no call cost more than what was reserved for it.
	ReasonWithinReservations = "WithinReservations"
	// ReasonAboveReservation: a call cost more than what was reserved for it.
	ReasonAboveReservation = "AboveReservation"
	// ReasonLedgerFits: the ledger has room.
	ReasonLedgerFits = "LedgerFits"
	// ReasonLedgerLarge: the ledger takes more than half of what fits.
	ReasonLedgerLarge = "LedgerLarge"
	// ReasonManyCounters: the ledger has more counters than a ledger in Kubernetes is good for.
	ReasonManyCounters = "ManyCounters"
	// ReasonManyOwners: more proxies write the ledger than a ledger in Kubernetes is good for.
	ReasonManyOwners = "ManyOwners"
)
