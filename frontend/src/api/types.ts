/** Names for the schemas of the OpenAPI document. Nothing here is written by hand: change the API, then `npm run types`. */
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Job = Schemas['Job'];
/** A job with its attempts. */
export type JobDetail = Schemas['JobDetail'];
export type Attempt = Schemas['Attempt'];
/** Something that a person did to a job. */
export type HistoryEntry = Schemas['HistoryEntry'];
export type LogLine = Schemas['LogLine'];
export type JobState = Schemas['JobState'];
export type JobPage = Schemas['JobPage'];
/** What the event stream says about one job. Fields that are absent are unchanged. */
export type JobPatch = Schemas['JobPatch'];
export type FunctionInfo = Schemas['Function'];
export type NewJob = Schemas['NewJob'];
export type JobAction = Schemas['JobAction'];
export type JobCount = Schemas['JobCount'];
export type BulkAction = Schemas['Action'];
export type Failure = Schemas['Failure'];
export type Worker = Schemas['Worker'];
export type Health = Schemas['Health'];
export type Queue = Schemas['Queue'];
export type QueueLimits = Schemas['QueueLimits'];
export type Overview = Schemas['Overview'];
export type QueueOverview = Schemas['QueueOverview'];
export type Stats = Schemas['Stats'];
export type StatPoint = Schemas['StatPoint'];
export type Schedule = Schemas['Schedule'];
export type NewSchedule = Schemas['NewSchedule'];
export type ScheduleChange = Schemas['ScheduleChange'];
export type CatchUp = Schemas['CatchUp'];
export type Batch = Schemas['Batch'];
export type BatchCounts = Schemas['BatchCounts'];
export type IndexSeen = Schemas['Index'];
export type Readiness = Schemas['Readiness'];
export type Session = Schemas['Session'];
export type AuditEntry = Schemas['AuditEntry'];
export type AuditOutcome = Schemas['AuditOutcome'];
export type Problem = Schemas['Problem'];
/** Whether the stream of events is open. `connecting` is only the first time, before there is anything to lose. */
export type LiveStatus = 'connecting' | 'open' | 'reconnecting';
