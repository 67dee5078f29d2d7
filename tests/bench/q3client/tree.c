// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "tree.h"

void tree_plant(struct tree *t)
{
	memset(t, 0xff, sizeof(*t));	/* NONE everywhere */
	t->nodes = 1;
	t->root = t->order[0] = t->rank[0] = t->weight[0] = t->leaf[ESCAPE] = 0;
	t->symbol[0] = ESCAPE;
}

static void tree_place(struct tree *t, int node, int rank)
{
	t->order[rank] = node;
	t->rank[node] = rank;
}

static void tree_swap_ranks(struct tree *t, int a, int b)
{
	int rank = t->rank[a];

	tree_place(t, a, t->rank[b]);
	tree_place(t, b, rank);
}

static void tree_replace(struct tree *t, int parent, int old, int node)
{
	if (parent == NONE)
		t->root = node;
	else
		t->child[parent][t->child[parent][0] != old] = node;
}

/* Of siblings the leader becomes the left one, whichever it was. */
static void tree_swap_places(struct tree *t, int leader, int node)
{
	int above = t->parent[leader], below = t->parent[node];

	tree_replace(t, above, leader, node);
	tree_replace(t, below, node, leader);
	t->parent[leader] = below;
	t->parent[node] = above;
}

static void tree_count(struct tree *t, int node)
{
	int parent = t->parent[node], rank = t->rank[node], leader;

	while (rank && t->weight[t->order[rank - 1]] == t->weight[node])
		rank--;
	leader = t->order[rank];
	if (leader != node && leader != parent)
		tree_swap_places(t, leader, node);
	if (leader != node)
		tree_swap_ranks(t, leader, node);
	t->weight[node]++;
	parent = t->parent[node];
	if (parent == NONE)
		return;
	tree_count(t, parent);
	parent = t->parent[node];
	if (t->rank[parent] == t->rank[node] + 1)
		tree_swap_ranks(t, node, parent);
}

static int tree_node(struct tree *t, int symbol, int parent)
{
	int node = t->nodes++;

	t->symbol[node] = symbol;
	t->parent[node] = parent;
	t->weight[node] = 1;
	return node;
}

/* The escape, lightest of all, makes room for itself and the symbol below a new node. */
static void tree_add(struct tree *t, int symbol)
{
	int escape = t->leaf[ESCAPE], above = t->parent[escape], last = t->nodes - 1;
	int fork = tree_node(t, NONE, above), leaf = tree_node(t, symbol, fork);

	tree_replace(t, above, escape, fork);
	t->parent[escape] = fork;
	t->child[fork][0] = escape;
	t->child[fork][1] = leaf;
	t->leaf[symbol] = leaf;
	tree_place(t, fork, last);
	tree_place(t, leaf, last + 1);
	tree_place(t, escape, last + 2);
	if (above != NONE)
		tree_count(t, above);
}

void tree_see(struct tree *t, int symbol)
{
	if (t->leaf[symbol] == NONE)
		tree_add(t, symbol);
	else
		tree_count(t, t->leaf[symbol]);
}
