import type { Role } from './roles.js';

/** The parts of an application's activity table beside its user. */

const NOT_AN_EVENT = ['mime', 'content', 'user', 'actor', 'session', 'device', 'ip', 'agent'];

export const EVENT_TYPE: Role = {
  role: 'type',
  kinds: ['text'],
  least: 6,
  written: true,
  off: 'an event has no type',
  good: [
    ['event type', 10],
    ['activity type', 10],
    ['action type', 9],
    ['event name', 8],
    ['event', 8],
    ['action', 8],
    ['verb', 8],
    ['type', 8],
    ['kind', 7],
    ['activity', 7],
  ],
  never: [...NOT_AN_EVENT, 'id', 'source', 'object', 'target', 'entity', 'reference', 'subject'],
};

export const SOURCE_ID: Role = {
  role: 'sourceId',
  kinds: ['integer', 'uuid', 'text'],
  least: 7,
  written: true,
  off: 'nothing says which entry an event is of',
  good: [
    ['source id', 10],
    ['source object id', 10],
    ['object id', 9],
    ['reference id', 9],
    ['entity id', 8],
    ['ref id', 8],
    ['subject id', 7],
    ['source ref', 7],
  ],
  never: [...NOT_AN_EVENT, 'type', 'parent', 'external', 'correlation', 'trace'],
};

/** What is looked for once there are a user, a type and a source, in the order of the mapping file. */
export const EVENT_ROLES: readonly Role[] = [
  {
    role: 'sourceModel',
    kinds: ['text'],
    least: 6,
    written: true,
    off: 'an event does not say that its source is the ledger',
    good: [
      ['source model', 10],
      ['source type', 9],
      ['source table', 9],
      ['object type', 9],
      ['reference type', 9],
      ['entity type', 8],
      ['ref type', 8],
      ['subject type', 7],
      ['source', 7],
      ['model', 7],
    ],
    never: [...NOT_AN_EVENT, 'id', 'url'],
  },
  {
    role: 'metadata',
    kinds: ['json'],
    least: 5,
    written: true,
    off: 'an event does not tell amount and reason',
    good: [
      ['metadata', 10],
      ['meta', 9],
      ['event data', 9],
      ['payload', 9],
      ['data', 8],
      ['detail', 8],
      ['property', 7],
      ['context', 7],
      ['extra', 7],
      ['attribute', 6],
    ],
    never: ['old', 'previous', 'header', 'request', 'response'],
  },
  {
    role: 'occurredAt',
    kinds: ['timestamp'],
    least: 6,
    written: true,
    off: 'an event has one time',
    good: [
      ['occurred at', 10],
      ['happened at', 10],
      ['event time', 9],
      ['event at', 9],
      ['timestamp', 9],
      ['occurred', 8],
      ['time', 7],
      ['ts', 7],
    ],
    never: ['created', 'updated', 'modified', 'deleted', 'expire', 'expires', 'seen', 'read'],
  },
  {
    role: 'createdAt',
    kinds: ['timestamp'],
    least: 6,
    written: true,
    off: 'the time of writing is not kept',
    good: [
      ['created at', 10],
      ['inserted at', 10],
      ['recorded at', 9],
      ['created', 8],
      ['date created', 8],
      ['created on', 8],
    ],
    never: ['updated', 'modified', 'deleted', 'expire', 'expires', 'seen', 'read', 'by'],
  },
];
