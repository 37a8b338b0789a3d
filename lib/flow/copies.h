/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two recovery copies, slots recovery_a and recovery_b. The copy that runs is
 * never written; the other one always is what can be made good again from it.
 */
#ifndef LB_FLOW_COPIES_H
#define LB_FLOW_COPIES_H

#include "flow/install.h"

/* 'b' for 'a' and the other way round. */
char lb_copies_other(char copy);

/**
 * lb_copies_open() - the slot of @copy
 * @size_bytes: what has to fit into it
 * @ret: close with lb_blk_close()
 *
 * Return: 0; -LB_E_NO_SLOT, -LB_E_READ_ONLY, -LB_E_TOO_BIG, -LB_E_IO.
 */
int lb_copies_open(struct lb_install *in, char copy, bool writable, uint64_t size_bytes,
		   struct lb_blk **ret, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_copies_on_trial() - was the copy that runs selected by a note, and nothing come of it yet?
 *
 * It starts, but so does a recovery that crashes a moment later, for ever. So it does
 * not report alive before lb_copies_proved(): the bootloader counts its starts, and
 * changes to the other copy after the third. Cuts are counted with them.
 */
bool lb_copies_on_trial(struct lb_install *in);

/**
 * lb_copies_proved() - the copy that runs has done what it is for: it is the one to start
 *
 * Environment (lifeboat_slot, counter), then the note: a cut between them leaves it on trial.
 * Does nothing where no copies are known. Return: 0, -LB_E_IO, -LB_E_TOO_BIG.
 */
int lb_copies_proved(struct lb_install *in, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_copies_step_back() - main is given back: a copy on trial that did nothing runs no more
 *
 * It may be what cannot reach the bundle. The other copy, if it would start, is
 * selected: it comes up for the next request and finds the note, with the try counted.
 * Return: 0, -LB_E_IO, -LB_E_TOO_BIG.
 */
int lb_copies_step_back(struct lb_install *in, struct lb_error *err) LB_MUST_CHECK;

/* Would the bootloader take the copy that runs again? 0, -LB_E_MEDIUM if not, or as lb_copies_open(). */
int lb_copies_check_running(struct lb_install *in, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_copies_clone() - write the copy that runs over the other one
 * @size_bytes: as far as the recovery reaches; 0 if not known: the whole slot
 *
 * After a check that the bootloader would take it; what is equal is not written; read
 * back from the medium. Blocks for reading both copies twice. A power
 * cut leaves the other copy undefined and the one that runs as it is.
 *
 * Return: 0; -LB_E_MEDIUM: one of the copies is not what it should be; as
 * lb_copies_open(); -LB_E_NOMEM.
 */
int lb_copies_clone(struct lb_install *in, uint64_t size_bytes, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_copies_mend() - no device goes back to main with one good copy
 *
 * Before main gets the flag: if the other copy would not be taken by the bootloader
 * (a cut or a refusal came while it was written), or was given up, it is replaced by
 * the one that runs. Does nothing where no copies are known. What cannot be mended is
 * said and no more: main is not to blame. Tells of its progress as "copy" and "verify".
 */
void lb_copies_mend(struct lb_install *in);

#endif
