// What the phone's core (outbox, sync, photos, packs, positions) gives its screens.
// The core knows no screen; screens know nothing of storage or the network.

export type Lang = 'zh' | 'en'
export interface Words { zh: string; en: string }

export type KindName = 'hazards' | 'dangers' | 'shelter_checks' | 'incident_reports' | 'patrols' | 'tasks' | 'acks' | 'evacuation_entries'
export type Datum = 'WGS84' | 'CGCS2000' | 'GCJ02' | 'BD09'
export type Geometry =
  | { type: 'Point'; coordinates: [number, number] }
  | { type: 'LineString'; coordinates: [number, number][] }
  | { type: 'Polygon'; coordinates: [number, number][][] }

export interface Field {
  name: string
  title: Words
  type: 'text' | 'number' | 'integer' | 'boolean' | 'datetime' | 'code' | 'id'
  code_list?: string
  unit?: string
  required?: boolean
  read_only?: boolean
  max_length?: number
  templates?: Words[]
  min?: number
  max?: number
}
export interface Transition { from: string; to: string; title: Words; needs?: string[] }
export interface Dictionary {
  kind: KindName
  title: Words
  geometry: string[]
  fields: Field[]
  transitions?: Transition[]
  deletable: boolean
  near_m?: number
  code_lists: Record<string, { code: string; title: Words }[]>
}

/** What the phone knows of a record of the server (own tasks, marks nearby, what he sent). */
export interface Rec {
  kind: KindName | 'notices' | 'callouts'
  id: string
  version: number
  state?: string
  fields: Record<string, unknown>
  geometry?: Geometry
  updated_at: string
  by?: string
  mine?: boolean
}

/** waiting: on this phone only; sending; received: the server has it; needs_look: quarantined or in conflict,
 *  people at the office look at it; returned: refused or sent back with a reason, he has to fix it. */
export type ItemState = 'draft' | 'waiting' | 'sending' | 'received' | 'merged' | 'needs_look' | 'returned' | 'withdrawn'

export interface OutItem {
  op_id: string
  kind: KindName
  id: string
  op: 'put' | 'delete' | 'transition'
  to?: string
  urgent: boolean // 险情: goes before everything else
  title: string // what he sees in the list
  created_at: string
  state: ItemState
  verdict?: string
  reason?: Words // why it was returned or is looked at
  seen_by?: string // 值班员 who has seen it
  seen_at?: string
  received_at?: string
  tries: number
  photos: { total: number; sent: number }
  /** 险情 without a receipt within rules.urgent_wait_s: 没有发出去. The screen sounds, offers to dial and the SMS. */
  late?: boolean
  /** It may still be taken back or changed as if it had never been: no server can have it. */
  editable: boolean
  /** Somebody else's, who used this phone before: kept until he signs in again or it is exported. */
  owner?: string
}

/** lon and lat are as the map has them; raw is what the phone said, where its datum is another. */
export interface Fix { lon: number; lat: number; accuracy_m: number; at: string; samples: number; age_s: number; raw?: [number, number] }

export interface Photo { sha256: string; bytes: number; width: number; height: number; taken_at: string; position?: [number, number]; url: string }

/** A mark as the form holds it. Kept in the phone's storage at every change. */
export interface Draft {
  id: string // UUIDv7 of the record to be
  kind: KindName
  based_on?: { version: number; fields: Record<string, unknown>; geometry?: Geometry } // when an existing record is edited
  fields: Record<string, unknown>
  geometry?: Geometry
  fix?: Fix
  photos: string[] // sha256
  urgent: boolean
  updated_at: string
  /** A step between states that was returned and is tried again. */
  to?: string
  note?: string
  /** The operation this one takes the place of, once it is submitted. */
  replaces?: string
}

export interface Home {
  me: { name: string; username: string; role: string }
  grid: { code: string; name: string; bbox: [number, number, number, number]; geometry: Geometry | { type: 'MultiPolygon'; coordinates: unknown } } | null
  township: { code: string; name: string; bbox: [number, number, number, number] } | null
  duty_phones: { name: string; phone: string }[]
  rules: { urgent_wait_s: number; outbox_warn_h: number; photos_max: number; accuracy_warn_m: number }
  server_time: string
}

export interface Pack {
  area: string
  name: string
  bytes: number
  tiles: number
  made_at: string
  /** here: is on this phone */
  here?: { at: string; bytes: number }
  progress?: number // 0..1 while it comes
}

export interface Status {
  online: boolean
  signedIn: boolean
  device: string
  persisted: boolean | null // does the browser promise to keep the storage
  storage: { used: number; quota: number } | null
  oldestWaitingH: number | null
  pending: number
  lastSync: string | null
  clockSkewS: number | null
  update: boolean // a newer app waits
  /** The server no longer knows this phone: everything is kept, he has to sign in. */
  signInNeeded: boolean
  /** Storage is used up: the last thing was not kept, everything before is. */
  full: boolean
  /** Waiting on this phone for longer than rules.outbox_warn_h. */
  old: boolean
  /** Another account's operations that wait on this phone, by his user name. */
  others: Record<string, number>
  inWeChat: boolean
}

/** A refusal in words for him; code is stable ('pin_wrong', 'already_sent', 'full', 'offline' ...). */
export interface Said extends Error { code: string; words: Words }

/** A shelter near him, as the phone knows it (from the pack, or the last answer of the server). */
export interface Place { id: string; name: string; at: [number, number]; distance_m: number | null; note?: string }
/** An approved 转移路线, shown as it was drawn. */
export interface Route { id: string; title: string; geometry: { type: 'LineString' | 'MultiLineString'; coordinates: unknown }; note?: string }

/** The core, as the screens see it. Everything is kept before a promise resolves.
 *  core/index.ts exports `createCore(): Core`. */
export interface Core {
  start(): Promise<void>
  status(): Status
  /** Calls back at every change of anything below; returns how to stop. */
  subscribe(changed: () => void): () => void

  home(): Home | null
  dictionary(kind: KindName): Dictionary | null
  records(kind?: Rec['kind']): Rec[]
  record(id: string): Rec | null

  drafts(): Draft[]
  newDraft(kind: KindName, urgent?: boolean): Promise<Draft>
  editDraft(rec: Rec): Promise<Draft>
  saveDraft(d: Draft): Promise<void>
  dropDraft(id: string): Promise<void>
  /** Records of the same kind near a place: "是同一处吗?" */
  near(kind: KindName, at: [number, number], accuracy_m: number): { rec: Rec; distance_m: number }[]
  /** Turns the draft into operations of the outbox. It is on the disk when this resolves. */
  submit(d: Draft): Promise<OutItem>
  transition(rec: Rec, to: string, fields?: Record<string, unknown>, note?: string, photos?: string[]): Promise<OutItem>
  /** 险情: kind, grid and position first. */
  urgent(kind: string, at: Fix | null, text?: string): Promise<OutItem>
  /** Words and photos that follow a report which is already in the outbox or was sent (险情: details later). */
  more(id: string, fields: Record<string, unknown>, photos: string[]): Promise<OutItem>
  patrol(zero: boolean, at: Fix | null): Promise<OutItem>
  acknowledge(notice: Rec): Promise<OutItem>
  /** 转移: so many people more of a village, and what is cut; each is a line of its own and none is changed. */
  moved(callout: Rec, village: { code: string; name: string }, fields: Record<string, unknown>): Promise<OutItem>

  outbox(): OutItem[]
  withdraw(op_id: string): Promise<void> // before it was sent
  fix(op_id: string): Promise<Draft> // edit before sending, or after it was returned
  sendNow(): Promise<void>
  exportOutbox(password: string): Promise<Blob>
  importOutbox(file: Blob, password: string): Promise<{ added: number; known: number }>

  addPhoto(file: Blob, fix: Fix | null): Promise<Photo>
  photo(sha256: string): Promise<Photo | null>

  /** 险情 that did not get out: whom to call, and the SMS with kind, place and coordinates. */
  call(op_id: string): { phones: { name: string; phone: string; tel: string; sms: string }[]; text: string } | null

  fix_(): Fix | null // the best position so far, averaged
  watchPosition(on: boolean): void
  datum(): Datum
  setDatum(d: Datum): Promise<void>

  packs(): Promise<Pack[]>
  getPack(area: string): Promise<void>
  dropPack(area: string): Promise<void>
  /** One vector tile (decompressed MVT) of the pack on this phone, else of the server's; null: there is none. */
  tile(z: number, x: number, y: number): Promise<ArrayBuffer | null>
  /** Shelters by distance, for 查避难场所; works without network. */
  shelters(at: [number, number] | null): Promise<Place[]>
  routes(): Promise<Route[]>

  /** 包户 list: encrypted under the PIN, gone when the phone is revoked. */
  pinSet(): boolean // the list is on this phone, and the PIN that opens it was chosen
  households(pin: string, reason?: string): Promise<{ id: string; head: string; address: string; persons: number; elderly: number; phone: string; move: string }[]>

  askPersist(): Promise<boolean>
  /** Keeps the screen on while he records; false where the phone cannot. */
  keepAwake(on: boolean): Promise<boolean>
  enrol(code: string, name: string): Promise<void>
  /** Starts the newer app that waits (status().update); nothing of the outbox or the drafts is touched. */
  applyUpdate(): void
  /** Refuses while anything waits, unless told what happens to it. */
  signOut(keepOutbox: true): Promise<void>
}
