// Made by npm run api from the description with the SHA-256 58ca7afa1f9a8a462fc1d7457959c1233d575658fb8e1fb37478579128c6309c

export interface paths {
    "/overpaint/v1/canvases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload
         * @description Keep a canvas: the body is its bytes. The same bytes twice are one canvas; it is kept for a day at most.
         */
        post: operations["canvases-upload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/canvases/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Facts
         * @description Whether a canvas is kept.
         */
        get: operations["canvases-facts"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Remove a canvas. Jobs that wait for it fail.
         */
        delete: operations["canvases-delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/canvases/{id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * File
         * @description The bytes of a canvas, or of a painted one, which a job names as its result.
         */
        get: operations["canvases-file"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/canvases/{id}/paint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Paint
         * @description Ask for a canvas to be painted. It is a job, followed, cancelled and forgotten under `/edits` by its id; the
         *     `canvas` of its result is the id of the painted one.
         */
        post: operations["canvases-paint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/controls": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Controls
         * @description What would guide a request: for each kind of control the network here that reads it, or what is missing.
         */
        post: operations["controls"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/edits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Listed
         * @description The caller's jobs, the newest first, without those that paint canvases.
         */
        get: operations["edits-listed"];
        put?: never;
        /**
         * Create
         * @description Ask for an edit. Once this is answered, the job is on the disk, and outlives the server's end.
         *
         *     With the same `Idempotency-Key` the same job is returned, also when it has ended.
         */
        post: operations["edits-create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/edits/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Status
         * @description Where a job stands.
         */
        get: operations["edits-status"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Forget a job that has ended. Its pictures stay.
         */
        delete: operations["edits-delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/edits/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel
         * @description Stop a job: one that waits at once, one that runs at its next step. One that has ended stays as it is.
         */
        post: operations["edits-cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/edits/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Events
         * @description Follow a job: queued at a place, started, loading a model, another stage, notes, step k of n, previews, and
         *     done, failed or cancelled, which is the last one. With `Last-Event-ID` what came after that event.
         */
        get: operations["edits-events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/edits/{id}/move": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Move
         * @description Put a waiting job at a place among the caller's own.
         */
        post: operations["edits-move"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/edits/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry
         * @description Let a job that failed or was cancelled wait again.
         */
        post: operations["edits-retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/engines": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Engines
         * @description The engines, what each accepts, and its own options.
         */
        get: operations["engines"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/enhancers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Enhancers
         * @description The networks that enlarge, restore faces or find them. Without one, a picture teaches its own enlargement.
         */
        get: operations["enhancers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/enlargements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Enlarge
         * @description Ask for a picture at a larger size. The job is followed, cancelled and forgotten as one of an edit: edits/ID.
         */
        post: operations["enlargements-enlarge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Health
         * @description That the server answers. Needs no key.
         */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/intents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Intents
         * @description The purposes of edits.
         */
        get: operations["intents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/masks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make
         * @description Make a mask of a picture's size; its id can be used in the marks of an edit.
         */
        post: operations["masks-make"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics
         * @description Figures of the whole server, as Prometheus reads them (text format 0.0.4).
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Models
         * @description The checkpoints and networks on the server.
         */
        get: operations["models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/painters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Painter
         * @description What would paint a request, chosen as for an edit: engine, model, options, and the engine's card.
         */
        post: operations["painters-painter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/pictures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Listed
         * @description The caller's pictures, the newest first.
         */
        get: operations["pictures-listed"];
        put?: never;
        /**
         * Upload
         * @description Keep a picture: the body is its file. The same file twice is one picture.
         */
        post: operations["pictures-upload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/pictures/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Facts
         * @description What is known of a picture.
         */
        get: operations["pictures-facts"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Remove a picture. Jobs that wait for it fail.
         */
        delete: operations["pictures-delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/pictures/{id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * File
         * @description The file of a picture, byte by byte as it came in or was made.
         */
        get: operations["pictures-file"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/pictures/{id}/overlay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Overlay
         * @description A picture with a mask laid over it, as a WebP of at most `side` pixels across.
         */
        get: operations["pictures-overlay"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/pictures/{id}/selections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Selections
         * @description Masks of what the hints mean, the surest first; an edit may name them, or have the hints in its own mask.
         */
        post: operations["pictures-selections"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/pictures/{id}/thumbnail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Thumbnail
         * @description A WebP of at most `side` pixels across, in sRGB.
         */
        get: operations["pictures-thumbnail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/restorations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Restore
         * @description Ask for a picture with its faces restored. The job is followed as one of an edit: edits/ID.
         */
        post: operations["restorations-restore"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/samplers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Samplers
         * @description The samplers and schedulers of engines that denoise.
         */
        get: operations["samplers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/selectors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Selectors
         * @description What finds things in pictures: the hints that each selector takes, and its own options.
         */
        get: operations["selectors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Listed
         * @description The caller's sessions, the newest first.
         */
        get: operations["sessions-listed"];
        put?: never;
        /**
         * Begin
         * @description Begin a session with a stored picture, whose file is kept in it as it is.
         */
        post: operations["sessions-begin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload
         * @description Keep a whole session: the body is a `.overpaint` file, which is read whole within limits before it is kept.
         */
        post: operations["sessions-file-upload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Status
         * @description How a session is now.
         */
        get: operations["sessions-status"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Remove a session. Its jobs are stopped; what they paint is lost.
         */
        delete: operations["sessions-delete"];
        options?: never;
        head?: never;
        /**
         * Rename
         * @description Give a session another name.
         */
        patch: operations["sessions-rename"];
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Audit
         * @description The session's audit log: a line of JSON for each action, chained by hashes. 404 where it has none.
         *
         *     The header `overpaint-audit-head` is COUNT:HASH of its last line.
         */
        get: operations["sessions-audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/audit/head": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Audit Head
         * @description The end of the session's audit log, as it is now. 404 where it has none.
         */
        get: operations["sessions-audit-head-audit_head"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/branch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Switch
         * @description Go on in another branch.
         */
        put: operations["sessions-branch-switch"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/branches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Branch
         * @description Begin a branch here, and go on in it. The one before stays where it is.
         */
        post: operations["sessions-branches-branch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/compact": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Compact
         * @description Make a session smaller. Paint that no undo, redo, take or branch needs is dropped, and what the body names.
         */
        post: operations["sessions-compact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/edits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Jobs Of
         * @description The session's jobs, the newest first.
         */
        get: operations["sessions-edits-jobs_of"];
        put?: never;
        /**
         * Edit
         * @description Ask for an edit of the present picture, as a new step on top: a job, whose results name the step.
         */
        post: operations["sessions-edits-edit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Events
         * @description Follow a session: changed (version, what, picture), job (id, state), renamed, and deleted, which is the last one.
         *     With `Last-Event-ID` what came after that event.
         */
        get: operations["sessions-events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export
         * @description The present picture as a file with the record of its edits, or as layers.
         */
        get: operations["sessions-export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * File
         * @description The whole session as a `.overpaint` file, which any Overpaint opens.
         */
        get: operations["sessions-file"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/flatten": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Flatten
         * @description Keep the present picture as a stored one, which other edits and sessions can begin with.
         */
        post: operations["sessions-flatten"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/frames": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Frames
         * @description What an edit would see and may change, without painting it. Everything of the task counts as for the edit.
         */
        post: operations["sessions-frames"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * History
         * @description Everything that was done, in its order, also what was undone.
         */
        get: operations["sessions-history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/map": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Session Map
         * @description A PNG of the map of a kind that the picture gives without a network. An unchanged one is answered 304.
         */
        get: operations["sessions-map-session_map"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/original": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Original
         * @description The file of the picture that the session began with, byte by byte.
         */
        get: operations["sessions-original"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/picture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Picture
         * @description A part of the picture for a screen: at most `side` pixels across, in sRGB. An unchanged part is answered 304.
         */
        get: operations["sessions-picture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/redo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Redo
         * @description Go forward again to what was undone last, or by `count`.
         */
        post: operations["sessions-redo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/rerun": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rerun Stale
         * @description Paint every step that shows and is stale again, from below to above, each with its own settings: a job.
         */
        post: operations["sessions-rerun-rerun_stale"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/selections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Select In Session
         * @description Masks of what the hints mean in the present picture, the surest first; an edit of it may name them.
         */
        post: operations["sessions-selections-select_in_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/steps/{step}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change Step
         * @description Show or hide a step, set its opacity, pick or put aside takes, or move it in the stack: one of them.
         */
        patch: operations["sessions-steps-change_step"];
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/steps/{step}/mask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Mask
         * @description Where a step shows: a PNG of the present picture's size, white = shown.
         */
        get: operations["sessions-steps-mask"];
        /**
         * Set Mask
         * @description Set where a step shows. The body is a picture of the present picture's size, white = shown.
         */
        put: operations["sessions-steps-mask-set_mask"];
        /**
         * Paint Back
         * @description Paint what is below a step back where it is marked; in the lowest step that is the original.
         */
        post: operations["sessions-steps-mask-paint_back"];
        /**
         * Reset Mask
         * @description Let a step show everywhere again.
         */
        delete: operations["sessions-steps-mask-reset_mask"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/steps/{step}/patch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Patch
         * @description What a step has painted, transparent where it painted nothing. The header `overpaint-box` says where it lies.
         */
        get: operations["sessions-steps-patch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/steps/{step}/picture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Picture With
         * @description The present picture if this step showed with one of its takes, as `/picture` gives it.
         */
        get: operations["sessions-steps-picture-picture_with"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/steps/{step}/rerun": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rerun
         * @description Paint a step again, on what is below it when the job begins: a job. The new take shows; earlier ones stay.
         */
        post: operations["sessions-steps-rerun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/sessions/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undo
         * @description Go back to before the last action, or the last `count`.
         */
        post: operations["sessions-undo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/overpaint/v1/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * State
         * @description What the server does for the caller now.
         */
        get: operations["state"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AlphaPart
         * @description The picture's own transparency: transparent = repaint.
         */
        AlphaPart: {
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "alpha";
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
        };
        /**
         * AuditHead
         * @description The end of an audit log: its file NAME.head, by which lines that are gone from the end are noticed.
         */
        AuditHead: {
            /**
             * Count
             * @description the number of the last line
             */
            count: number;
            /**
             * Hash
             * @description the SHA-256 of the last line, in hexadecimal
             */
            hash: string;
        };
        /**
         * Blob
         * @description A raster by the SHA-256 of its bytes: row-major, channels interleaved, 16-bit samples low byte first.
         *
         *     `channels` is 1 for a mask, 4 for a sketch (RGBA, not premultiplied), 3 or 4 for a
         *     picture to put in (RGB, RGBA), 1 to 5 for a picture's samples and alpha.
         */
        Blob: {
            /**
             * Channels
             * @description samples a pixel
             * @default 1
             */
            channels?: number;
            /**
             * Data
             * @description the raster itself as a run-length code, when small
             */
            data?: string | null;
            /**
             * Depth
             * @description bits a sample: 8 or 16
             * @default 8
             */
            depth?: number;
            /**
             * Height
             * @description pixels down
             */
            height: number;
            /**
             * Sha256
             * @description SHA-256 of the raster's bytes, hexadecimal
             */
            sha256: string;
            /**
             * Width
             * @description pixels across
             */
            width: number;
        };
        /**
         * BoxPart
         * @description A rectangle of whole pixels, right and bottom exclusive.
         */
        BoxPart: {
            /**
             * Box
             * @description left, top, right, bottom in px
             */
            box: [
                number,
                number,
                number,
                number
            ];
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "box";
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
        };
        /**
         * BranchName
         * @description A branch.
         */
        BranchName: {
            /** Name */
            name: string;
        };
        /**
         * CanvasFacts
         * @description A canvas that is kept.
         */
        CanvasFacts: {
            /** Bytes */
            bytes: number;
            /**
             * Id
             * @description the SHA-256 of its bytes
             */
            id: string;
        };
        /**
         * CanvasResult
         * @description A painted canvas.
         */
        CanvasResult: {
            /** Bytes */
            bytes: number;
            /**
             * Canvas
             * @description its id; its bytes are at canvases/ID/file
             */
            canvas: string;
            /**
             * Timings
             * @description seconds by step
             */
            timings: {
                [key: string]: number;
            };
        };
        /**
         * CanvasSettings
         * @description How a canvas is painted: what the studio elsewhere has resolved.
         */
        CanvasSettings: {
            /**
             * Controls
             * @description of the canvas's control images, in their order
             * @default []
             */
            controls?: components["schemas"]["Control"][];
            /** Engine */
            engine: string;
            /** Model */
            model?: string | null;
            /**
             * Options
             * @description the engine's own, as /painters gave them
             */
            options?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Regional Prompts
             * @description of the canvas's masks of regional prompts, in their order
             * @default []
             */
            regional_prompts?: components["schemas"]["RegionText"][];
            /** @description prompt, strength, steps and the like; None for an engine that takes none of them */
            sampling?: components["schemas"]["EditRequest"] | null;
            /**
             * Seed
             * @default 0
             */
            seed?: number;
        };
        /**
         * CompactTask
         * @description What is dropped beside the paint that nothing leads to.
         */
        CompactTask: {
            /**
             * Branches
             * @description all branches but the present one
             * @default false
             */
            branches?: boolean;
            /**
             * Takes
             * @description takes that show nowhere, and could be picked
             * @default false
             */
            takes?: boolean;
            /**
             * Undo
             * @description what can be undone or done again
             * @default false
             */
            undo?: boolean;
        };
        /**
         * CompactedSession
         * @description How much smaller a session became.
         */
        CompactedSession: {
            /** After */
            after: number;
            /**
             * Before
             * @description bytes of its file
             */
            before: number;
            /**
             * Branches
             * @description the branches that were dropped
             */
            branches: string[];
            session: components["schemas"]["SessionStatus"];
            /**
             * Takes
             * @description how many takes were dropped
             */
            takes: number;
            /**
             * Undo
             * @description whether what could be undone, or done again, was dropped
             */
            undo: boolean;
        };
        /**
         * Control
         * @description One control: a map that guides, or the picture to make it from, and how strongly it guides.
         *
         *     Attributes:
         *         image: A map or picture of the edited picture's proportions, 1, 3 or 4 channels of 8 bits. None: the map is made
         *             from the picture that is edited, at the working size of each region.
         */
        Control: {
            /**
             * End
             * @default 1
             */
            end?: number;
            image?: components["schemas"]["Blob"] | null;
            /** Inside */
            inside?: boolean | null;
            /** Kind */
            kind: string;
            /**
             * Mode
             * @default balanced
             * @enum {string}
             */
            mode?: "balanced" | "prompt" | "control";
            /** Model */
            model?: string | null;
            /**
             * Options
             * @default {}
             */
            options?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Preprocess */
            preprocess?: boolean | null;
            /**
             * Start
             * @default 0
             */
            start?: number;
            /**
             * Weight
             * @default 1
             */
            weight?: number;
        };
        /**
         * ControlAnswer
         * @description What can guide a request.
         */
        ControlAnswer: {
            /**
             * Engine
             * @description what would paint the request
             */
            engine: string;
            /**
             * Family
             * @description of the model: ControlNets of the same family may be named
             */
            family: string | null;
            /**
             * Kinds
             * @description empty where controls are not used
             */
            kinds: components["schemas"]["ControlFacts"][];
            /**
             * Model
             * @description None for an engine that runs none
             */
            model: string | null;
            /**
             * Used
             * @description whether the engine uses controls; others leave them alone
             */
            used: boolean;
        };
        /**
         * ControlFacts
         * @description A kind of control.
         */
        ControlFacts: {
            /** Kind */
            kind: string;
            /**
             * Network
             * @description what would read it, where the control names none; None where nothing does
             */
            network: string | null;
            /** @description why no map of it can be made from a picture */
            unmade: components["schemas"]["Obstacle"] | null;
            /** @description why nothing would read it */
            unread: components["schemas"]["Obstacle"] | null;
        };
        /**
         * ControlQuestion
         * @description A request that is to be guided.
         */
        ControlQuestion: {
            /** @description the request; its picture, masks and controls are left out */
            request: components["schemas"]["EditRequest"];
        };
        /**
         * EditRequest
         * @description The settings of an edit. A field that is None is left open: it follows from the intent (see `intents`) or engine.
         *
         *     EditRequest(intent="replace", prompt="a bench", mask=MaskSpec(parts=[BoxPart(box=(40, 80, 220, 200))]))
         *
         *     Raises:
         *         SettingError (a RequestError): An unknown key or a value out of its range, with what would be right.
         */
        EditRequest: {
            /**
             * Alpha
             * @description keep the picture's alpha, or lay what is painted under what is left of the picture
             */
            alpha?: ("keep" | "cover") | null;
            /**
             * Area
             * @description paint on the masked area at full size, or on the whole picture at once
             */
            area?: ("masked" | "whole") | null;
            /** @description pixels of the picture that must not be copied or continued: 1 or white is avoided */
            avoid?: components["schemas"]["MaskSpec"] | null;
            /**
             * Clip Skip
             * @description which of the text encoder's layers, counted from the last, is read
             */
            clip_skip?: number | null;
            /**
             * Colour Match
             * @description match the new colours to known pixels around
             */
            colour_match?: boolean | null;
            /**
             * Controls
             * @description what guides an engine that accepts it: maps (edges, lines, depth, a pose), given or made from the picture
             */
            controls?: components["schemas"]["Control"][] | null;
            /**
             * Detail
             * @description add fine detail of the surroundings where an engine paints below the picture's size or loses texture: throughout, where it likely belongs, only where that is beyond doubt, or nowhere
             */
            detail?: ("surroundings" | "full" | "careful" | "none") | null;
            /**
             * Dialect
             * @description the tool whose arithmetic is followed exactly
             */
            dialect?: ("native" | "diffusers" | "webui") | null;
            /**
             * Engine
             * @description the engine that paints
             */
            engine?: string | null;
            /**
             * Exact
             * @description pixels that do not depend on what else is painted at the same time
             */
            exact?: boolean | null;
            /**
             * Face Fidelity
             * @description of CodeFormer alone: 0 restores the most, 1 keeps the most of the face
             */
            face_fidelity?: number | null;
            /**
             * Face Weight
             * @description how much of a restored face counts: 0 leaves faces as they are, 1 takes what the network makes of them
             */
            face_weight?: number | null;
            /**
             * Feather
             * @description how wide the outward fade from new to old is
             */
            feather?: number | null;
            /**
             * Follow Effects
             * @description also paste what the engine changed beyond the mask (shadows, reflections), within the reach limit
             */
            follow_effects?: boolean | null;
            /**
             * Grow
             * @description how far repainting goes beyond the mask
             */
            grow?: number | null;
            /**
             * Guidance Interval
             * @description the part of the steps that guidance acts on: from, to, each 0 to 1
             */
            guidance_interval?: [
                number,
                number
            ] | null;
            /**
             * Guidance Rescale
             * @description how far guided values are scaled back to the unguided spread, against overexposure
             */
            guidance_rescale?: number | null;
            /**
             * Guidance Scale
             * @description scale of classifier-free guidance, towards the prompt and away from the negative prompt; 1 is none
             */
            guidance_scale?: number | null;
            /** @description the picture, by the digest of its pixels */
            image?: components["schemas"]["Blob"] | null;
            /** @description a picture to put in, RGB or RGBA in sRGB, of any size: the new background, with alpha the object to add, or what has the new colour */
            insert?: components["schemas"]["Blob"] | null;
            /**
             * Intent
             * @description the purpose of the edit; settings that are left open follow from it
             * @default custom
             * @enum {string}
             */
            intent?: "remove" | "replace" | "recolor" | "background" | "refine" | "add" | "expand" | "custom";
            /**
             * Margins
             * @description how much the picture grows: left, top, right, bottom, each 0 to 65536
             */
            margins?: [
                number,
                number,
                number,
                number
            ] | null;
            /** @description where to repaint: 1 or white is repainted */
            mask?: components["schemas"]["MaskSpec"] | null;
            /**
             * Mask Blur
             * @description in the dialect webui alone: the Gaussian blur of the mask, across and down; one number counts for both
             */
            mask_blur?: [
                number,
                number
            ] | null;
            /**
             * Masked Content
             * @description what painting starts from in the hole
             */
            masked_content?: ("original" | "fill" | "latent_noise" | "latent_nothing" | "exemplar") | null;
            /**
             * Model
             * @description a checkpoint; implies its engine
             */
            model?: string | null;
            /**
             * Negative Prompt
             * @description what not to paint
             */
            negative_prompt?: string | null;
            /**
             * Options
             * @description settings that only this engine knows, by name
             */
            options?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Padding
             * @description how far an engine sees beyond the mask's box
             */
            padding?: number | null;
            /**
             * Preset
             * @description several settings at once, where they are left open: fast, for few steps at half the working size
             */
            preset?: "fast" | null;
            /**
             * Prompt
             * @description what to paint
             */
            prompt?: string | null;
            /**
             * Reach Limit
             * @description how far from the mask anything may change at the most; a JPEG is coded in whole blocks of 8 or 16 pixels, which may go beyond
             */
            reach_limit?: number | null;
            /**
             * Regional Prompts
             * @description prompts for parts of the picture, each with the mask of its part; the prompt holds in the rest
             */
            regional_prompts?: components["schemas"]["RegionalPrompt"][] | null;
            /**
             * Restore Faces
             * @description restore the faces in what is painted, by the network of this name; auto: by the one that is here
             */
            restore_faces?: string | null;
            /**
             * Sampler
             * @description how the steps are taken
             */
            sampler?: string | null;
            /**
             * Scheduler
             * @description how the noise levels are spaced
             */
            scheduler?: string | null;
            /**
             * Schema
             * @description version of this form
             * @default 1
             */
            schema?: number;
            /**
             * Seam
             * @description correct brightness steps at the edge, where the engine gives evidence
             */
            seam?: boolean | null;
            /**
             * Seed
             * @description seed of the random numbers; -1 draws one
             */
            seed?: number | null;
            /**
             * Size
             * @description the working size, as the side of a square: a smaller one is faster and coarser
             */
            size?: number | null;
            /** @description strokes with alpha (RGBA, the picture's size), laid over the picture before it is painted */
            sketch?: components["schemas"]["Blob"] | null;
            /**
             * Steps
             * @description denoising steps
             */
            steps?: number | null;
            /**
             * Strength
             * @description how far painting departs from the masked content: 0 keeps it, 1 replaces it
             */
            strength?: number | null;
            /**
             * Strict
             * @description change nothing beyond the mask itself; in a JPEG, the blocks (8 or 16 pixels wide) that the mask touches are coded again; and refuse a damaged picture
             */
            strict?: boolean | null;
            /**
             * Working Size
             * @description in the dialect webui alone: width and height that what is seen is painted at, rounded down to what the model takes
             */
            working_size?: [
                number,
                number
            ] | null;
        };
        /**
         * EditResult
         * @description A finished result, which is a stored picture too.
         */
        EditResult: {
            /** Bytes */
            bytes: number;
            /**
             * Changed
             * @description pixels beyond the reach that the file's own loss changed
             */
            changed: number;
            /**
             * Doubt
             * @description why the fill is doubtful, and what may do better; empty where nothing was found
             */
            doubt: string;
            /**
             * Fidelity
             * @description lossless, blocks or re-encoded: how the pixels beyond the reach were kept
             */
            fidelity: string;
            /** Format */
            format: string;
            /** Height */
            height: number;
            /**
             * Layers
             * @description the id of the layered file, at pictures/ID/file
             */
            layers?: string | null;
            /**
             * Maps
             * @description the ids of its control maps, at pictures/ID/file: region by region those of the controls
             * @default []
             */
            maps?: string[];
            /**
             * Marks
             * @description what the file says of its origin
             * @default {}
             */
            marks?: {
                [key: string]: unknown;
            };
            /** Notes */
            notes: string[];
            /**
             * Picture
             * @description the id of the picture; its file is at pictures/ID/file
             */
            picture: string;
            /**
             * Reach
             * @description pixels beyond the mask from which on nothing changed
             */
            reach: number;
            /**
             * Seed
             * @description the seed that was used; None for an engine without one
             */
            seed: number | null;
            /**
             * Timings
             * @description seconds by step
             */
            timings: {
                [key: string]: number;
            };
            /** Width */
            width: number;
        };
        /**
         * EditTask
         * @description An edit: the picture, where to repaint, and the request.
         */
        EditTask: {
            /** @description what must not be copied */
            avoid?: components["schemas"]["Marks"] | null;
            /**
             * Controls
             * @description what guides the engine; left out, the request's own controls count
             * @default []
             */
            controls?: components["schemas"]["TaskControl"][];
            /**
             * Count
             * @description how many variations, with seeds from the first on
             * @default 1
             */
            count?: number;
            /**
             * Format
             * @description the results' format; left out, the picture's own
             */
            format?: ("png" | "jpeg" | "webp" | "tiff" | "avif") | null;
            /**
             * Insert
             * @description a picture to put in
             */
            insert?: string | null;
            /**
             * Layers
             * @description also a layered file: the original, and above it what was painted
             */
            layers?: ("psd" | "psb" | "ora") | null;
            /**
             * Maps
             * @description also pictures of the maps of its controls, as they guided it
             * @default false
             */
            maps?: boolean;
            /** @description where to repaint; left out, the request's own mask counts */
            marks?: components["schemas"]["Marks"] | null;
            /**
             * Picture
             * @description the id of a stored picture
             */
            picture: string;
            /**
             * Private
             * @description no record and no prompt in results; a job that has ended is forgotten when the server ends
             * @default false
             */
            private?: boolean;
            /**
             * Provenance
             * @description what results say of their origin: the source type, that and the prompt, nothing
             * @default embed
             * @enum {string}
             */
            provenance?: "embed" | "prompt" | "none";
            /**
             * Quality
             * @description 1 to 100, of formats that lose
             */
            quality?: number | null;
            /**
             * Rasters
             * @description pictures whose pixels the request names by their SHA-256
             * @default []
             */
            rasters?: string[];
            /**
             * Record
             * @description whether results hold how they were made
             * @default embed
             * @enum {string}
             */
            record?: "embed" | "none";
            /**
             * Regional Prompts
             * @description prompts for parts of the picture, by mask pictures or shapes
             * @default []
             */
            regional_prompts?: components["schemas"]["MarkedPrompt"][];
            /** @description the settings of the edit; docs/settings.md has all of them */
            request: components["schemas"]["EditRequest"];
            /**
             * Sketch
             * @description strokes with transparency, of the picture's size
             */
            sketch?: string | null;
            /**
             * Watermark
             * @description the name of an imperceptible mark that results get
             */
            watermark?: string | null;
            /**
             * Watermark Area
             * @description where it may change pixels
             * @default patch
             * @enum {string}
             */
            watermark_area?: "patch" | "whole";
            /**
             * Watermark Payload
             * @description what it holds
             */
            watermark_payload?: string | null;
        };
        /**
         * EllipsePart
         * @description The ellipse that a box encloses.
         */
        EllipsePart: {
            /**
             * Box
             * @description left, top, right, bottom in px of the box around it
             */
            box: [
                number,
                number,
                number,
                number
            ];
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "ellipse";
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
        };
        /**
         * EnhancerInfo
         * @description A network that makes whole pictures better, and can be used as it is.
         */
        EnhancerInfo: {
            /** Licence */
            licence: string | null;
            /** Name */
            name: string;
            /**
             * Network
             * @description its layout: "esrgan", "gfpgan" ...; empty where it is not known
             */
            network: string;
            /** Title */
            title: string;
            /**
             * What
             * @description its task
             * @enum {string}
             */
            what: "upscaler" | "faces" | "face-detector";
        };
        /**
         * EnlargeTask
         * @description A picture that is to be enlarged.
         */
        EnlargeTask: {
            /**
             * Enhance
             * @default enlarge
             * @constant
             */
            enhance?: "enlarge";
            /**
             * Format
             * @description the results' format; left out, the picture's own
             */
            format?: ("png" | "jpeg" | "webp" | "tiff" | "avif") | null;
            /**
             * Height
             * @description as high as this in pixels, the proportions kept
             */
            height?: number | null;
            /**
             * Model
             * @description a network that enlarges; left out, filters that the picture teaches itself
             */
            model?: string | null;
            /**
             * Picture
             * @description the id of a stored picture
             */
            picture: string;
            /**
             * Private
             * @description no record and no prompt in results; a job that has ended is forgotten when the server ends
             * @default false
             */
            private?: boolean;
            /**
             * Provenance
             * @description what results say of their origin: the source type, that and the prompt, nothing
             * @default embed
             * @enum {string}
             */
            provenance?: "embed" | "prompt" | "none";
            /**
             * Quality
             * @description 1 to 100, of formats that lose
             */
            quality?: number | null;
            /**
             * Record
             * @description whether results hold how they were made
             * @default embed
             * @enum {string}
             */
            record?: "embed" | "none";
            /**
             * Scale
             * @description how many times as wide and as high, more than 1, up to 16; left out with a size: 2
             */
            scale?: number | null;
            /**
             * Watermark
             * @description the name of an imperceptible mark that results get
             */
            watermark?: string | null;
            /**
             * Watermark Area
             * @description where it may change pixels
             * @default patch
             * @enum {string}
             */
            watermark_area?: "patch" | "whole";
            /**
             * Watermark Payload
             * @description what it holds
             */
            watermark_payload?: string | null;
            /**
             * Width
             * @description as wide as this in pixels, the proportions kept
             */
            width?: number | null;
        };
        /**
         * ErrorParts
         * @description What was wrong.
         */
        ErrorParts: {
            /**
             * Code
             * @description for programs; docs/errors.md has all of them
             */
            code: string;
            /**
             * Field
             * @description the setting that it is about
             */
            field?: string | null;
            /**
             * Hint
             * @description what to do about it
             */
            hint?: string | null;
            /**
             * Kind
             * @description the class of the error in Python
             */
            kind?: string | null;
            /**
             * Message
             * @description for people
             */
            message: string;
            /**
             * Value
             * @description what was sent, where it is short
             */
            value?: string | number | boolean | null;
        };
        /**
         * ErrorReply
         * @description The body of a request that was refused or failed.
         */
        ErrorReply: {
            error: components["schemas"]["ErrorParts"];
        };
        /**
         * FrameFacts
         * @description A region that an edit would paint, in pixels of the present picture; an edit that expands it goes beyond.
         */
        FrameFacts: {
            /**
             * Box
             * @description the box beyond which nothing changes
             */
            box: [
                number,
                number,
                number,
                number
            ];
            /**
             * Feather
             * @description how wide the fade to the old pixels is
             */
            feather: number;
            /**
             * Frame
             * @description left, top, right, bottom of what the engine sees
             */
            frame: [
                number,
                number,
                number,
                number
            ];
            /**
             * Grow
             * @description how far repainting goes beyond the mask, in pixels
             */
            grow: number;
            /**
             * Parts
             * @description how many connected parts of the mask it has
             */
            parts: number;
            /**
             * Reach
             * @description outlines of all that may change: points x, y each
             */
            reach: [
                number,
                number
            ][][];
            /**
             * Working
             * @description width and height at which the engine sees it
             */
            working: [
                number,
                number
            ];
        };
        /**
         * FullPart
         * @description The whole picture.
         */
        FullPart: {
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "full";
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
        };
        /**
         * Health
         * @description That the server answers.
         */
        Health: {
            /**
             * Status
             * @default ok
             */
            status?: string;
            /** Version */
            version: string;
        };
        /**
         * HistoryCount
         * @description How often.
         */
        HistoryCount: {
            /**
             * Count
             * @default 1
             */
            count?: number;
        };
        /**
         * HistoryEnd
         * @description What undo, or redo, would do.
         */
        HistoryEnd: {
            /**
             * Count
             * @description how often it can be done
             */
            count: number;
            /**
             * Do
             * @description the kind of action that it is, such as edit, rerun or opacity; empty for nothing
             */
            do: string;
            /**
             * Step
             * @description the step that it changes
             */
            step: number | null;
            /**
             * Text
             * @description what the next one takes back, or does again; empty for nothing
             */
            text: string;
        };
        /**
         * HistoryEntry
         * @description Something that was done.
         */
        HistoryEntry: {
            /** Branch */
            branch: string;
            /**
             * Dropped
             * @description whether the branch that it was done on was dropped since
             */
            dropped: boolean;
            /**
             * Elsewhere
             * @description the other branches whose picture follows from it
             */
            elsewhere: string[];
            /**
             * Holds
             * @description whether the present picture follows from it; not what was undone
             */
            holds: boolean;
            /** Number */
            number: number;
            /** Text */
            text: string;
            /**
             * Time
             * @description in UTC (ISO 8601)
             */
            time: string;
        };
        /**
         * IntentInfo
         * @description A purpose of an edit, and the settings that follow from it.
         */
        IntentInfo: {
            /**
             * Engine
             * @description the engine that does it without a model
             */
            engine: string | null;
            /** Grows Canvas */
            grows_canvas: boolean;
            /**
             * Inverts Mask
             * @description whether the mask marks what stays
             */
            inverts_mask: boolean;
            /** Masked Content */
            masked_content: string;
            /** Name */
            name: string;
            /**
             * Prompt
             * @description required or optional; background: scenery where it is empty
             */
            prompt: string;
            /** Strength */
            strength: number;
            /** Title */
            title: string;
        };
        /**
         * JobStatus
         * @description Where a job stands.
         */
        JobStatus: {
            /**
             * Attempts
             * @description how often it was started
             */
            attempts: number;
            /**
             * Created
             * @description seconds since 1970
             */
            created: number;
            /**
             * Error
             * @description why it failed: code, message, field, value, hint
             */
            error: {
                [key: string]: unknown;
            } | null;
            /** Id */
            id: string;
            /**
             * Notes
             * @description what one should know before it is painted
             */
            notes: string[];
            /**
             * Place
             * @description how many jobs go before it; None unless it waits
             */
            place: number | null;
            /** Results */
            results: (components["schemas"]["EditResult"] | components["schemas"]["SessionResult"] | components["schemas"]["CanvasResult"])[];
            /**
             * Session
             * @description the session that it works on
             */
            session?: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "queued" | "running" | "done" | "failed" | "cancelled";
            /** Step */
            step: number;
            /**
             * Steps
             * @description 0 before the first step
             */
            steps: number;
            /**
             * Task
             * @description what was asked for, without what was left open
             */
            task: {
                [key: string]: unknown;
            };
            /** Updated */
            updated: number;
        };
        JsonValue: unknown;
        /**
         * ListedSession
         * @description What a list says of a session.
         */
        ListedSession: {
            /** Audited */
            audited: boolean;
            /**
             * Created
             * @description seconds since 1970
             */
            created: number;
            /** Height */
            height: number;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /**
             * Width
             * @description of the original
             */
            width: number;
        };
        /**
         * MarkedPrompt
         * @description A regional prompt, and where it holds as people write it.
         */
        MarkedPrompt: {
            /** @description where it holds: mask pictures and shapes, white is there */
            marks: components["schemas"]["Marks"];
            /**
             * Negative Prompt
             * @description what not to paint there; left out, the request's own
             */
            negative_prompt?: string | null;
            /**
             * Prompt
             * @description what to paint there
             */
            prompt: string;
            /**
             * Weight
             * @description its share where regions overlap, beside the others' weights
             * @default 1
             */
            weight?: number;
        };
        /**
         * Marks
         * @description Where to repaint, as people write it; the union counts. Lengths are in pixels, or in per cent of the picture.
         */
        Marks: {
            /**
             * Blurred
             * @description sigmas in px, across and down, of a blur that the mask pictures have already; infotext names it
             */
            blurred?: [
                number,
                number
            ] | null;
            /**
             * Box
             * @description "left,top,right,bottom" each
             * @default []
             */
            box?: string[];
            /**
             * Channel
             * @description which channel of a mask picture counts
             * @default auto
             * @enum {string}
             */
            channel?: "auto" | "luminance" | "alpha" | "transparent";
            /**
             * Ellipse
             * @description "left,top,right,bottom" each
             * @default []
             */
            ellipse?: string[];
            /**
             * Invert
             * @description repaint everything but these
             * @default false
             */
            invert?: boolean;
            /**
             * Mask
             * @description mask pictures, white = repaint
             * @default []
             */
            mask?: string[];
            /**
             * Not Point
             * @description "x,y" each, on what is not
             * @default []
             */
            not_point?: string[];
            /**
             * Point
             * @description "x,y" each, on what is meant
             * @default []
             */
            point?: string[];
            /**
             * Polygon
             * @description "x,y x,y x,y" each
             * @default []
             */
            polygon?: string[];
            /**
             * Resize
             * @description whether a mask of the picture's proportions is resized to it
             * @default false
             */
            resize?: boolean;
            /**
             * Select
             * @description selectors: faces, subject ...
             * @default []
             */
            select?: string[];
            /**
             * Select Box
             * @description "left,top,right,bottom" each, around what is meant
             * @default []
             */
            select_box?: string[];
            /**
             * Select Option
             * @description "name=value" each, of the selector
             * @default []
             */
            select_option?: string[];
            /**
             * Select Text
             * @description what is meant, in words
             * @default []
             */
            select_text?: string[];
        };
        /**
         * MaskBrush
         * @description What is painted back.
         */
        MaskBrush: {
            /**
             * Feather
             * @description radius in pixels of a soft edge
             * @default 0
             */
            feather?: number;
            /** @description where */
            marks: components["schemas"]["Marks"];
            /**
             * Show
             * @description let the step show again there, in place of what is below it
             * @default false
             */
            show?: boolean;
        };
        /**
         * MaskFacts
         * @description A stored mask.
         */
        MaskFacts: {
            /**
             * Bounds
             * @description left, top, right, bottom of what is marked
             */
            bounds: [
                number,
                number,
                number,
                number
            ];
            /** Bytes */
            bytes: number;
            /** Format */
            format: string;
            /**
             * Fraction
             * @description the share of the picture that is marked
             */
            fraction: number;
            /**
             * Hard
             * @description whether its edges are no wider than an antialiased brush's
             */
            hard: boolean;
            /** Height */
            height: number;
            /**
             * Id
             * @description the SHA-256 of the file
             */
            id: string;
            /**
             * Mode
             * @description channels and bits
             */
            mode: string;
            /**
             * Notes
             * @description what is damaged, say
             */
            notes: string[];
            /**
             * Transparent
             * @description whether a part of it is transparent
             */
            transparent: boolean;
            /** Width */
            width: number;
        };
        /**
         * MaskSpec
         * @description The mask of a request: parts joined in their order, then inverted if `invert` is set.
         *
         *     MaskSpec(parts=[BoxPart(box=(10, 10, 90, 60)), EllipsePart(op="subtract", box=(30, 20, 50, 40))])
         */
        MaskSpec: {
            /**
             * Blurred
             * @description sigmas in px, across and down, of a blur that the rasters have already; infotext names it
             */
            blurred?: [
                number,
                number
            ] | null;
            /**
             * Invert
             * @description repaint everything that the parts do not cover
             * @default false
             */
            invert?: boolean;
            /**
             * Parts
             * @description shapes, rasters and selections, joined in their order
             */
            parts: (components["schemas"]["BoxPart"] | components["schemas"]["EllipsePart"] | components["schemas"]["PolygonPart"] | components["schemas"]["StrokesPart"] | components["schemas"]["RasterPart"] | components["schemas"]["SelectPart"] | components["schemas"]["AlphaPart"] | components["schemas"]["FullPart"])[];
        };
        /**
         * MaskTask
         * @description A mask to be made: its parts are joined, then refined in the order of the fields.
         */
        MaskTask: {
            /**
             * Feather
             * @description radius in pixels of a soft edge
             * @default 0
             */
            feather?: number;
            /**
             * Fill Holes
             * @description mark what is enclosed
             * @default false
             */
            fill_holes?: boolean;
            /**
             * Grow
             * @description pixels outward; negative shrinks
             * @default 0
             */
            grow?: number;
            /** @description mask pictures and shapes, as for an edit */
            marks?: components["schemas"]["Marks"] | null;
            /**
             * Picture
             * @description the picture that it is for, whose size it has
             */
            picture: string;
            /**
             * Remove Specks
             * @description unmark parts of fewer pixels than this
             * @default 0
             */
            remove_specks?: number;
            /** @description parts that are added, subtracted and intersected in order */
            spec?: components["schemas"]["MaskSpec"] | null;
            /**
             * Threshold
             * @description make it hard: 1 from this value on
             */
            threshold?: number | null;
        };
        /**
         * NewPlace
         * @description Where a waiting job goes.
         */
        NewPlace: {
            /**
             * Place
             * @description 0 is before the caller's other waiting jobs
             */
            place: number;
        };
        /**
         * NewSession
         * @description A session that is to begin with a stored picture.
         */
        NewSession: {
            /**
             * Audited
             * @description whether everything that is done is kept in an audit log
             * @default false
             */
            audited?: boolean;
            /**
             * Name
             * @description for people
             * @default
             */
            name?: string;
            /**
             * Picture
             * @description the id of a stored picture
             */
            picture: string;
        };
        /**
         * Obstacle
         * @description Why something can't be done yet.
         */
        Obstacle: {
            /**
             * Code
             * @description of the error that an edit would end with
             */
            code: string;
            /**
             * Hint
             * @description what to do about it
             */
            hint: string | null;
            /** Message */
            message: string;
        };
        /**
         * OutputSettings
         * @description How the result of edits is written.
         */
        OutputSettings: {
            /**
             * Format
             * @description the results' format; left out, the picture's own
             */
            format?: ("png" | "jpeg" | "webp" | "tiff" | "avif") | null;
            /**
             * Layers
             * @description also a layered file: the original, and above it what was painted
             */
            layers?: ("psd" | "psb" | "ora") | null;
            /**
             * Private
             * @description no record and no prompt in results; a job that has ended is forgotten when the server ends
             * @default false
             */
            private?: boolean;
            /**
             * Provenance
             * @description what results say of their origin: the source type, that and the prompt, nothing
             * @default embed
             * @enum {string}
             */
            provenance?: "embed" | "prompt" | "none";
            /**
             * Quality
             * @description 1 to 100, of formats that lose
             */
            quality?: number | null;
            /**
             * Record
             * @description whether results hold how they were made
             * @default embed
             * @enum {string}
             */
            record?: "embed" | "none";
            /**
             * Watermark
             * @description the name of an imperceptible mark that results get
             */
            watermark?: string | null;
            /**
             * Watermark Area
             * @description where it may change pixels
             * @default patch
             * @enum {string}
             */
            watermark_area?: "patch" | "whole";
            /**
             * Watermark Payload
             * @description what it holds
             */
            watermark_payload?: string | null;
        };
        /**
         * PainterAnswer
         * @description What paints a request.
         */
        PainterAnswer: {
            /**
             * Card
             * @description what the engine can do and what it takes
             */
            card: {
                [key: string]: unknown;
            };
            /** Engine */
            engine: string;
            /**
             * Filled
             * @description fields of the request that its preset filled in
             */
            filled: {
                [key: string]: unknown;
            };
            /**
             * Model
             * @description None for an engine that runs none
             */
            model: string | null;
            /**
             * Models
             * @description the files of weights that are used
             */
            models: {
                [key: string]: unknown;
            }[];
            /**
             * Notes
             * @description what a person should know before it is painted
             */
            notes: string[];
            /**
             * Options
             * @description the engine's own, checked and complete
             */
            options: {
                [key: string]: unknown;
            };
            /**
             * Protocol
             * @description the form of canvases that the server speaks
             */
            protocol: number;
        };
        /**
         * PainterQuestion
         * @description A request that is to be painted.
         */
        PainterQuestion: {
            /**
             * Protocol
             * @description the form of canvases that the client speaks
             */
            protocol: number;
            /** @description the request; its picture and its masks are left out */
            request: components["schemas"]["EditRequest"];
        };
        /**
         * PolygonPart
         * @description The inside of a closed line of straight pieces.
         */
        PolygonPart: {
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "polygon";
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
            /**
             * Points
             * @description its corners, [x, y] in px
             */
            points: [
                number,
                number
            ][];
        };
        /**
         * RasterPart
         * @description A drawn or loaded mask of the picture's size: 255 = repaint.
         */
        RasterPart: {
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "raster";
            /**
             * Levels
             * @description "values": small levels are faint values; left out, few of them are labels
             */
            levels?: "values" | null;
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
            /** @description an 8-bit raster with one channel */
            raster: components["schemas"]["Blob"];
        };
        /**
         * RegionText
         * @description What a regional prompt says, without its place.
         */
        RegionText: {
            /**
             * Negative Prompt
             * @description what not to paint there; left out, the request's own
             */
            negative_prompt?: string | null;
            /**
             * Prompt
             * @description what to paint there
             */
            prompt: string;
            /**
             * Weight
             * @description its share where regions overlap, beside the others' weights
             * @default 1
             */
            weight?: number;
        };
        /**
         * RegionalPrompt
         * @description A prompt for the part of the picture that its mask marks.
         *
         *     RegionalPrompt(prompt="a red car", mask=MaskSpec(parts=[BoxPart(box=(10, 10, 90, 60))]))
         */
        RegionalPrompt: {
            /** @description where the prompt holds: 1 or white is there */
            mask: components["schemas"]["MaskSpec"];
            /**
             * Negative Prompt
             * @description what not to paint there; left out, the request's own
             */
            negative_prompt?: string | null;
            /**
             * Prompt
             * @description what to paint there
             */
            prompt: string;
            /**
             * Weight
             * @description its share where regions overlap, beside the others' weights
             * @default 1
             */
            weight?: number;
        };
        /**
         * RestoreTask
         * @description A picture whose faces are to be restored.
         */
        RestoreTask: {
            /**
             * Detector
             * @description a network that finds faces (YuNet); left out, the one that is here; none: a cascade
             */
            detector?: string | null;
            /**
             * Enhance
             * @default restore
             * @constant
             */
            enhance?: "restore";
            /**
             * Fidelity
             * @description of CodeFormer alone: 0 restores the most, 1 keeps the most of the face
             */
            fidelity?: number | null;
            /**
             * Format
             * @description the results' format; left out, the picture's own
             */
            format?: ("png" | "jpeg" | "webp" | "tiff" | "avif") | null;
            /**
             * Model
             * @description a network that restores faces; left out, the one that is here
             */
            model?: string | null;
            /**
             * Picture
             * @description the id of a stored picture
             */
            picture: string;
            /**
             * Private
             * @description no record and no prompt in results; a job that has ended is forgotten when the server ends
             * @default false
             */
            private?: boolean;
            /**
             * Provenance
             * @description what results say of their origin: the source type, that and the prompt, nothing
             * @default embed
             * @enum {string}
             */
            provenance?: "embed" | "prompt" | "none";
            /**
             * Quality
             * @description 1 to 100, of formats that lose
             */
            quality?: number | null;
            /**
             * Record
             * @description whether results hold how they were made
             * @default embed
             * @enum {string}
             */
            record?: "embed" | "none";
            /**
             * Watermark
             * @description the name of an imperceptible mark that results get
             */
            watermark?: string | null;
            /**
             * Watermark Area
             * @description where it may change pixels
             * @default patch
             * @enum {string}
             */
            watermark_area?: "patch" | "whole";
            /**
             * Watermark Payload
             * @description what it holds
             */
            watermark_payload?: string | null;
            /**
             * Weight
             * @description 0 leaves faces as they are, 1 takes the network's
             * @default 1
             */
            weight?: number;
        };
        /**
         * SamplerInfo
         * @description Names of samplers and schedulers.
         */
        SamplerInfo: {
            /** Samplers */
            samplers: string[];
            /** Schedulers */
            schedulers: string[];
        };
        /**
         * SelectPart
         * @description What a selector finds in the picture: the union of its selections, or one of them.
         */
        SelectPart: {
            /**
             * Boxes
             * @description left, top, right, bottom in px around each thing that is meant
             * @default []
             */
            boxes?: [
                number,
                number,
                number,
                number
            ][];
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "select";
            /**
             * Not Points
             * @description [x, y] in px, each on what is not meant
             * @default []
             */
            not_points?: [
                number,
                number
            ][];
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
            /**
             * Options
             * @description the selector's own options, by name
             */
            options?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Pick
             * @description one selection alone, by its number from 0; left out, all
             */
            pick?: number | null;
            /**
             * Points
             * @description [x, y] in px, each on what is meant
             * @default []
             */
            points?: [
                number,
                number
            ][];
            /**
             * Selector
             * @description the name of what finds it: sam, grabcut, colour, faces ...
             */
            selector: string;
            /**
             * Text
             * @description what is meant, in words: the red car
             */
            text?: string | null;
        };
        /**
         * SelectionFacts
         * @description A stored mask of something that a selector found.
         */
        SelectionFacts: {
            /**
             * Alternative
             * @description whether it is another meaning of the same hints as the one before: not to be joined
             * @default false
             */
            alternative?: boolean;
            /**
             * Bounds
             * @description left, top, right, bottom of what is marked
             */
            bounds: [
                number,
                number,
                number,
                number
            ];
            /** Bytes */
            bytes: number;
            /** Format */
            format: string;
            /**
             * Fraction
             * @description the share of the picture that is marked
             */
            fraction: number;
            /**
             * Hard
             * @description whether its edges are no wider than an antialiased brush's
             */
            hard: boolean;
            /** Height */
            height: number;
            /**
             * Id
             * @description the SHA-256 of the file
             */
            id: string;
            /**
             * Label
             * @description what it is, where there is something to say
             */
            label: string;
            /**
             * Mode
             * @description channels and bits
             */
            mode: string;
            /**
             * Notes
             * @description what is damaged, say
             */
            notes: string[];
            /**
             * Score
             * @description how sure the selector is, 0 to 1
             */
            score: number;
            /**
             * Transparent
             * @description whether a part of it is transparent
             */
            transparent: boolean;
            /** Width */
            width: number;
        };
        /**
         * SelectionTask
         * @description What is to be selected in a picture.
         */
        SelectionTask: {
            /**
             * Boxes
             * @description left, top, right, bottom in px around each thing that is meant
             * @default []
             */
            boxes?: [
                number,
                number,
                number,
                number
            ][];
            /**
             * Mask
             * @description a rough mask that is refined, white = selected
             */
            mask?: string | null;
            /**
             * Not Points
             * @description [x, y] in px, each on what is not meant
             * @default []
             */
            not_points?: [
                number,
                number
            ][];
            /**
             * Options
             * @description the selector's own options, by name
             */
            options?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Points
             * @description [x, y] in px, each on what is meant
             * @default []
             */
            points?: [
                number,
                number
            ][];
            /**
             * Selector
             * @description what finds it; left out, it follows from the hints: by words, else by outlines
             */
            selector?: string | null;
            /**
             * Text
             * @description what is meant, in words: the red car
             */
            text?: string | null;
        };
        /**
         * ServerState
         * @description What the server does now.
         */
        ServerState: {
            /**
             * Jobs
             * @description the caller's jobs by state
             */
            jobs: {
                [key: string]: number;
            };
            /**
             * Lanes
             * @description jobs that are worked on at the same time
             */
            lanes: number;
            /**
             * Seconds
             * @description since it was started
             */
            seconds: number;
        };
        /**
         * SessionName
         * @description A name for people.
         */
        SessionName: {
            /** Name */
            name: string;
        };
        /**
         * SessionResult
         * @description A finished take of a step of a session.
         */
        SessionResult: {
            /** Doubt */
            doubt: string;
            /** Notes */
            notes: string[];
            /** Seed */
            seed: number | null;
            /**
             * Session
             * @description the session's id
             */
            session: string;
            /**
             * Step
             * @description the step's number
             */
            step: number;
            /**
             * Take
             * @description the take's number, from 1
             */
            take: number;
            /**
             * Timings
             * @description seconds by step
             */
            timings: {
                [key: string]: number;
            };
            /**
             * Version
             * @description the session's version once it was there
             */
            version: number;
        };
        /**
         * SessionStatus
         * @description How a session is now.
         */
        SessionStatus: {
            /**
             * Audited
             * @description whether it has an audit log
             */
            audited: boolean;
            /** Branch */
            branch: string;
            /** Branches */
            branches: string[];
            /**
             * Bytes
             * @description of the session's file
             */
            bytes: number;
            /**
             * Created
             * @description seconds since 1970
             */
            created: number;
            /** Height */
            height: number;
            /** Id */
            id: string;
            /**
             * Jobs
             * @description the ids of its jobs that wait or run
             * @default []
             */
            jobs?: string[];
            /**
             * Left
             * @description where the present picture begins, in pixels of the original; 0 unless it has grown
             */
            left: number;
            /** Name */
            name: string;
            /**
             * Original
             * @description the SHA-256 of the original's file
             */
            original: string;
            /** Original Height */
            original_height: number;
            /**
             * Original Width
             * @description of the original, as displayed
             */
            original_width: number;
            /**
             * Picture
             * @description a digest that changes with the present picture
             */
            picture: string;
            redo: components["schemas"]["HistoryEnd"];
            /**
             * Steps
             * @description from below to above
             */
            steps: components["schemas"]["StepStatus"][];
            /** Top */
            top: number;
            /**
             * Torn
             * @description whether the file's end was lost by a crash, and the rest is whole
             */
            torn: boolean;
            undo: components["schemas"]["HistoryEnd"];
            /**
             * Version
             * @description grows with each change
             */
            version: number;
            /**
             * Width
             * @description of the present picture
             */
            width: number;
        };
        /**
         * StepChange
         * @description One change of a step.
         */
        StepChange: {
            /**
             * Aside
             * @description the takes that are put aside, all of them: they stay, and lists leave them out
             */
            aside?: number[] | null;
            /** Opacity */
            opacity?: number | null;
            /**
             * Place
             * @description its new place in the stack, 1 being the lowest
             */
            place?: number | null;
            /**
             * Take
             * @description the take that is to show
             */
            take?: number | null;
            /** Visible */
            visible?: boolean | null;
        };
        /**
         * StepEdit
         * @description An edit of a session's present picture.
         */
        StepEdit: {
            /** @description what must not be copied */
            avoid?: components["schemas"]["Marks"] | null;
            /**
             * Controls
             * @description what guides the engine; left out, the request's own controls count
             * @default []
             */
            controls?: components["schemas"]["TaskControl"][];
            /**
             * Count
             * @description how many variations, with seeds from the first on
             * @default 1
             */
            count?: number;
            /**
             * Insert
             * @description a picture to put in
             */
            insert?: string | null;
            /** @description where to repaint; left out, the request's own mask counts */
            marks?: components["schemas"]["Marks"] | null;
            /**
             * Rasters
             * @description pictures whose pixels the request names by their SHA-256
             * @default []
             */
            rasters?: string[];
            /**
             * Regional Prompts
             * @description prompts for parts of the picture, by mask pictures or shapes
             * @default []
             */
            regional_prompts?: components["schemas"]["MarkedPrompt"][];
            /** @description the settings of the edit; docs/settings.md has all of them */
            request: components["schemas"]["EditRequest"];
            /**
             * Sketch
             * @description strokes with transparency, of the picture's size
             */
            sketch?: string | null;
        };
        /**
         * StepRerun
         * @description What is to be different when a step is painted again; its own settings and seed hold for the rest.
         */
        StepRerun: {
            /** @description what must not be copied */
            avoid?: components["schemas"]["Marks"] | null;
            /**
             * Controls
             * @description what guides the engine; left out, the request's own controls count
             * @default []
             */
            controls?: components["schemas"]["TaskControl"][];
            /**
             * Count
             * @description how many variations, with seeds from the first on
             * @default 1
             */
            count?: number;
            /**
             * Insert
             * @description a picture to put in
             */
            insert?: string | null;
            /** @description where to repaint; left out, the request's own mask counts */
            marks?: components["schemas"]["Marks"] | null;
            /**
             * Rasters
             * @description pictures whose pixels the request names by their SHA-256
             * @default []
             */
            rasters?: string[];
            /**
             * Regional Prompts
             * @description prompts for parts of the picture, by mask pictures or shapes
             * @default []
             */
            regional_prompts?: components["schemas"]["MarkedPrompt"][];
            /**
             * @description settings in place of the step's own (intent custom: as it was); seed -1 draws a new one
             * @default {
             *       "intent": "custom",
             *       "schema": 1
             *     }
             */
            request?: components["schemas"]["EditRequest"];
            /**
             * Sketch
             * @description strokes with transparency, of the picture's size
             */
            sketch?: string | null;
        };
        /**
         * StepStatus
         * @description One step of a session.
         */
        StepStatus: {
            /**
             * Aside
             * @description the takes that were put aside, from 1: they stay, and lists leave them out
             */
            aside: number[];
            /**
             * Box
             * @description what it may change, in pixels of the original
             */
            box: [
                number,
                number,
                number,
                number
            ];
            /** Doubt */
            doubt: string;
            /**
             * Engine
             * @description the engine, or the model, that painted it
             */
            engine: string;
            /** Intent */
            intent: string;
            /**
             * Masked
             * @description whether a mask hides a part of it
             */
            masked: boolean;
            /** Notes */
            notes: string[];
            /**
             * Number
             * @description its number, which it keeps
             */
            number: number;
            /** Opacity */
            opacity: number;
            /**
             * Paint
             * @description the digest of the take that shows
             */
            paint: string;
            /**
             * Place
             * @description its place in the stack, 1 being the lowest
             */
            place: number;
            /** Prompt */
            prompt: string;
            /** Seed */
            seed: number | null;
            /**
             * Stale
             * @description whether what its engine saw of the steps below is no longer so
             */
            stale: boolean;
            /**
             * Take
             * @description the take that shows, from 1
             */
            take: number;
            /**
             * Takes
             * @description how many there are: variations, and times that it was painted again
             */
            takes: number;
            /** Visible */
            visible: boolean;
        };
        /**
         * StoredPicture
         * @description A stored picture.
         */
        StoredPicture: {
            /** Bytes */
            bytes: number;
            /** Format */
            format: string;
            /** Height */
            height: number;
            /**
             * Id
             * @description the SHA-256 of the file
             */
            id: string;
            /**
             * Mode
             * @description channels and bits
             */
            mode: string;
            /**
             * Notes
             * @description what is damaged, say
             */
            notes: string[];
            /**
             * Transparent
             * @description whether a part of it is transparent
             */
            transparent: boolean;
            /** Width */
            width: number;
        };
        /**
         * StrokesPart
         * @description The area of a round brush along lines of straight pieces.
         */
        StrokesPart: {
            /**
             * Feather
             * @description sigma in px of a Gaussian that softens this part on both sides of its edge
             * @default 0
             */
            feather?: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "strokes";
            /**
             * Op
             * @description how it joins the parts before it
             * @default add
             * @enum {string}
             */
            op?: "add" | "subtract" | "intersect";
            /**
             * Strokes
             * @description lines of points, [x, y] in px
             */
            strokes: [
                number,
                number
            ][][];
            /**
             * Width
             * @description diameter of the brush in px
             */
            width: number;
        };
        /**
         * TaskControl
         * @description A control whose image is a stored picture.
         */
        TaskControl: {
            /**
             * End
             * @default 1
             */
            end?: number;
            /**
             * Image
             * @description a map, or with preprocess a picture; left out, the map is made from the edited one
             */
            image?: string | null;
            /** Inside */
            inside?: boolean | null;
            /** Kind */
            kind: string;
            /**
             * Mode
             * @default balanced
             * @enum {string}
             */
            mode?: "balanced" | "prompt" | "control";
            /** Model */
            model?: string | null;
            /**
             * Options
             * @default {}
             */
            options?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Preprocess */
            preprocess?: boolean | null;
            /**
             * Start
             * @default 0
             */
            start?: number;
            /**
             * Weight
             * @default 1
             */
            weight?: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    "canvases-upload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "*/*": string;
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CanvasFacts"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "canvases-facts": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the canvas's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CanvasFacts"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "canvases-delete": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the canvas's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "canvases-file": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the canvas's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "canvases-paint": {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path: {
                /** @description the canvas's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CanvasSettings"];
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    controls: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ControlQuestion"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlAnswer"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-listed": {
        parameters: {
            query?: {
                /** @description only jobs in this state */
                state?: ("queued" | "running" | "done" | "failed" | "cancelled") | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-create": {
        parameters: {
            query?: {
                /** @description attach: an unfinished job of the same task is returned */
                repeat?: "attach" | "new";
            };
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EditTask"];
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-status": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-delete": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-cancel": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-events": {
        parameters: {
            query?: never;
            header?: {
                "last-event-id"?: number | null;
            };
            path: {
                /** @description the job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": unknown;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-move": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPlace"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "edits-retry": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    engines: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    }[];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    enhancers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnhancerInfo"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "enlargements-enlarge": {
        parameters: {
            query?: {
                /** @description attach: an unfinished job of the same task is returned */
                repeat?: "attach" | "new";
            };
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EnlargeTask"];
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    intents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IntentInfo"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "masks-make": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MaskTask"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MaskFacts"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    }[];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "painters-painter": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PainterQuestion"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PainterAnswer"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-listed": {
        parameters: {
            query?: {
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoredPicture"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-upload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "*/*": string;
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoredPicture"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-facts": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the picture's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoredPicture"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-delete": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the picture's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-file": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the picture's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-overlay": {
        parameters: {
            query: {
                /** @description the mask's id */
                mask: string;
                opacity?: number;
                side?: number;
            };
            header?: never;
            path: {
                /** @description the picture's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-selections": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the picture's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SelectionTask"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SelectionFacts"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "pictures-thumbnail": {
        parameters: {
            query?: {
                side?: number;
            };
            header?: never;
            path: {
                /** @description the picture's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "restorations-restore": {
        parameters: {
            query?: {
                /** @description attach: an unfinished job of the same task is returned */
                repeat?: "attach" | "new";
            };
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RestoreTask"];
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    samplers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SamplerInfo"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    selectors: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    }[];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-listed": {
        parameters: {
            query?: {
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListedSession"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-begin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSession"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-file-upload": {
        parameters: {
            query?: {
                /** @description left out, the name of its original */
                name?: string;
                /** @description whether what is done from now on is kept in an audit log */
                audited?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "*/*": string;
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-status": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-delete": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-rename": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SessionName"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-audit": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/jsonl": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-audit-head-audit_head": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditHead"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-branch-switch": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BranchName"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-branches-branch": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BranchName"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-compact": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CompactTask"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CompactedSession"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-edits-jobs_of": {
        parameters: {
            query?: {
                limit?: number;
            };
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-edits-edit": {
        parameters: {
            query?: {
                /** @description attach: an unfinished job of the same task is returned */
                repeat?: "attach" | "new";
            };
            header?: {
                "idempotency-key"?: string | null;
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StepEdit"];
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-events": {
        parameters: {
            query?: never;
            header?: {
                "last-event-id"?: number | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": unknown;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-export": {
        parameters: {
            query?: {
                /** @description left out, the original's own; psd, psb and ora have each step as a layer */
                format?: ("png" | "jpeg" | "webp" | "tiff" | "avif" | "psd" | "psb" | "ora") | null;
                /** @description of formats that lose */
                quality?: number | null;
                /** @description whether it holds how it was made */
                record?: "embed" | "none";
                /** @description what it says of its origin */
                provenance?: "embed" | "prompt" | "none";
                /** @description no record, and no prompt */
                private?: boolean;
                /** @description an imperceptible mark */
                watermark?: string | null;
                watermark_area?: "patch" | "whole";
                watermark_payload?: string | null;
            };
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "image/*": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-file": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.overpaint-session": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-flatten": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["OutputSettings"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoredPicture"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-frames": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StepEdit"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FrameFacts"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-history": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HistoryEntry"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-map-session_map": {
        parameters: {
            query: {
                /** @description of control: canny, lineart, scribble, softedge or tile */
                kind: string;
                /** @description its longest side; nothing is enlarged */
                side?: number;
                /** @description the picture's digest: then it is kept for good */
                v?: string | null;
            };
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description The caller has it already (If-None-Match) */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-original": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "image/*": string;
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-picture": {
        parameters: {
            query?: {
                /** @description "left,top,right,bottom" of the picture; left out, all of it */
                box?: string | null;
                /** @description the longest side of the result; nothing is enlarged */
                side?: number;
                format?: "webp" | "png" | "jpeg";
                /** @description now, original, or below:STEP */
                of?: string;
                /** @description the picture's digest: then it is kept for good */
                v?: string | null;
            };
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description The caller has it already (If-None-Match) */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-redo": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["HistoryCount"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-rerun-rerun_stale": {
        parameters: {
            query?: {
                /** @description attach: an unfinished job of the same task is returned */
                repeat?: "attach" | "new";
            };
            header?: {
                "idempotency-key"?: string | null;
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-selections-select_in_session": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SelectionTask"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SelectionFacts"][];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-change_step": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StepChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-mask": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description The caller has it already (If-None-Match) */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-mask-set_mask": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "*/*": string;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-mask-paint_back": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MaskBrush"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-mask-reset_mask": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-patch": {
        parameters: {
            query?: {
                /** @description one of its takes; left out, the one that shows */
                take?: number | null;
                /** @description for a thumbnail in sRGB; left out, all pixels in full depth */
                side?: number | null;
                format?: "webp" | "png" | "jpeg";
            };
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description The caller has it already (If-None-Match) */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-picture-picture_with": {
        parameters: {
            query?: {
                /** @description one of its takes; left out, the one that shows */
                take?: number | null;
                /** @description "left,top,right,bottom" of the picture; left out, all of it */
                box?: string | null;
                /** @description the longest side of the result; nothing is enlarged */
                side?: number;
                format?: "webp" | "png" | "jpeg";
            };
            header?: never;
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description The caller has it already (If-None-Match) */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-steps-rerun": {
        parameters: {
            query?: {
                /** @description attach: an unfinished job of the same task is returned */
                repeat?: "attach" | "new";
            };
            header?: {
                "idempotency-key"?: string | null;
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
                /** @description the step's number */
                step: number;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["StepRerun"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    "sessions-undo": {
        parameters: {
            query?: never;
            header?: {
                /** @description the version that the session must have: "7" */
                "if-match"?: string | null;
            };
            path: {
                /** @description the session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["HistoryCount"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionStatus"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
    state: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerState"];
                };
            };
            /** @description Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, 412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After) */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
            /** @description Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what the client may store), 500 for a fault of the server */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorReply"];
                };
            };
        };
    };
}
