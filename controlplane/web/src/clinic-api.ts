/** What a clinician's page asks the server. Each throws a `Failure`. */
import { request } from './account';
import type { Admission, Invitation } from './api';

/** One of the caller's consults. */
export interface Consultation {
  /** Opaque name of the room. */
  readonly room: string;
  readonly label: string;
  /** Unix seconds. */
  readonly opened_at: number;
  /** People in it now. */
  readonly participants: number;
}

/** Somebody who waits to be let in. */
export interface Guest {
  readonly identity: string;
  readonly name: string;
  readonly since_s: number;
}

export interface Link {
  readonly link: string;
  /** Unix seconds. */
  readonly expires_at: number;
}

export async function listConsults(): Promise<readonly Consultation[]> {
  return (await request('GET', '/api/consults')) as Consultation[];
}

export async function openConsult(label: string): Promise<Consultation> {
  return (await request('POST', '/api/consults', { label })) as Consultation;
}

export async function endConsult(room: string): Promise<void> {
  await request('DELETE', `/api/consults/${encodeURIComponent(room)}`);
}

/** Makes a one-time link for a patient. */
export async function invite(room: string): Promise<Link> {
  return (await request('POST', `/api/consults/${encodeURIComponent(room)}/links`, {})) as Link;
}

export async function lookUpConsult(room: string): Promise<Invitation> {
  return (await request('GET', `/api/consults/${encodeURIComponent(room)}`)) as Invitation;
}

export async function enterConsult(room: string): Promise<Admission> {
  return (await request('POST', `/api/consults/${encodeURIComponent(room)}/join`)) as Admission;
}

/** Why somebody enters a consult to which they are not invited; the server's own codes. */
export const EMERGENCY_REASONS = [
  'threat_to_life',
  'patient_unresponsive',
  'no_clinician_present',
  'technical_failure',
  'other',
] as const;

export type EmergencyReason = (typeof EMERGENCY_REASONS)[number];

/** What somebody declares who enters in an emergency. */
export interface Emergency {
  readonly room: string;
  readonly reason: EmergencyReason;
  /** In their own words; recorded, encrypted. */
  readonly words: string;
}

/** Opens a consult to the caller until the entry runs out; recorded, and reviewed by others. */
export async function breakGlass(emergency: Emergency): Promise<void> {
  await request('POST', '/api/breakglass', emergency);
}

/** Who waits, now. */
export async function whoWaits(room: string): Promise<readonly Guest[]> {
  return ((await request('POST', '/api/waiting', { room })) as { waiting: Guest[] }).waiting;
}

export async function decide(room: string, identity: string, admit: boolean): Promise<void> {
  await request('POST', '/api/admit', { room, identity, admit });
}
