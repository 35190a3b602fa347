/** A user. Later servers may add members, here and in every frame. */
export interface User { id: number; name: string; away?: boolean }
/** `mentions`: how many messages have mentioned the user since it was last in the room, with the feature `mentions`. */
export interface Room { id: number; title: string; userCount: number; seq: number; mentions: number }

/** A text or a GIF, numbered by `seq` in its room. */
export interface Message {
  type: 'text' | 'gif'; text?: string; gifId?: number;
  from: User; roomId: number; time: number; seq: number; ref?: string;
}

/** Any frame: see docs/protocol-v2.md. */
export interface Frame { type: string; ref?: string; [member: string]: unknown }
export interface Refusal { type: 'error'; code: string; message: string; retryAfterMs?: number; ref?: string }

/** Some of the events. Every frame is one too, by its type, as in `on('enter_room', …)`. */
export interface Events {
  /** A new message, in order and once, also after a lost connection. `own`: this client said it. */
  message: Message & { own: boolean };
  /** The room was entered: `events` are the last messages, or what was missed. */
  room: Frame & { room: { id: number; title: string }; users: User[]; seq: number; events: Message[] };
  /** The messages between these could not be had: see `pages`. */
  gap: { roomId: number; after: number; before: number };
  /** The server has another history of the room: what was said before is void. */
  lost: { roomId: number };
  /** A wanted room does not exist, or may not be entered. `here` is the room that the client stays in. */
  room_gone: { room: { id: number | null; title?: string }; error: Refusal | null; here: Room | null };
  /** The server has put the client out of the room. */
  removed: { roomId: number };
  /** What the operator of the server tells everyone. */
  announcement: Frame & { text: string; time: number };
  /** The operator has erased messages of the room up to `upTo`: those of one user, those before a time, or all. */
  erased: Frame & { roomId: number; time: number; upTo: number; userId?: number; before?: number };
  /** A message will never be said. */
  failed: { entry: { ref: string; text?: string; gifId?: number }; error: ChatError };
  /** `retryAt` is by `performance.now()`, and null if the client does not come back by itself. */
  disconnected: { code: number; reason: string; retryAt: number | null };
  /** A refusal that belongs to no request of the program. */
  error: Refusal;
  /** Anything in `state` may have changed. */
  change: undefined;
}

/** Only to be read. `retryAt` and `pausedUntil` are by `performance.now()`. */
export interface State {
  phase: 'connecting' | 'online' | 'waiting' | 'replaced' | 'kicked' | 'stopped';
  retryAt: number | null; lostReason: string; me: User | null; epoch: string | null; features: string[];
  limits: Record<string, number>; gifs: { id: number; alt: string }[];
  /** By room, from the latest `previews` about it. */
  previews: Map<number, { roomId: number; userCount: number; users: User[]; last?: Partial<Message> & { cut?: true } }>;
  rooms: Map<number, Room>; wanted: { id: number | null; title?: string } | null;
  hereId: number | null; isSubscribed: boolean; members: Map<number, string>; away: Set<number>; memberCount: number;
  pausedUntil: number | null; pauseReason: 'rate_limited' | 'not_saved' | null;
}

export interface Store { get(key: string): unknown; set(key: string, value: unknown): unknown }

export interface Options {
  url: string | URL;
  /** The WebSocket class. Default: the global one, which Node has since 22. */
  WebSocket?: unknown;
  /** The name to take in every new session. */
  name?: string;
  /** The room to enter: its id or title. */
  room?: number | string;
  /** Where the session and unsent messages are kept. Default: in memory. */
  store?: Store; features?: string[];
  /** The longest frame that the client takes. */
  maxFrameBytes?: number;
}

export interface Query { before?: number; after?: number; around?: number; limit?: number; maxBytes?: number }
/** `events` may also have what is left of erased messages: `{ type: 'gone', roomId, time, seq }`. */
export interface Page { events: Message[]; more: boolean; newer: boolean; epoch: string }

export class ChatError extends Error { code: string; retryAfterMs?: number }

export class Client {
  constructor(options: Options); readonly state: State;
  start(): void; stop(): void; wake(): void;
  on<T extends keyof Events>(type: T, listener: (detail: Events[T]) => void): () => void;
  on(type: string, listener: (frame: any) => void): () => void;
  enter(room: number | string): void; leave(): void;
  say(text: string, room?: number | string): Promise<Message>;
  gif(gifId: number, room?: number | string): Promise<Message>;
  typing(): void; rename(name: string): Promise<Frame>;
  createRoom(title: string): Promise<Room>; request(request: Frame): Promise<Frame>;
  history(roomId: number, query?: Query): Promise<Page>;
  pages(roomId: number, query?: Omit<Query, 'after' | 'around'>): AsyncGenerator<Message[], void>;
}
